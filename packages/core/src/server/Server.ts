/**
 * The server: one engine, and a session for every link that proves the key.
 *
 * ```text
 *   link ─► handshake ─► session ── inputs ─► engine.step ─► outputs ─► release ─► one frame per session and turn
 *             (key)        └ defers requests over a limit
 * ```
 *
 * A turn is what one link delivered at once: the time goes in first, then its messages, then all outputs leave through
 * one gate (S-1, S-3). The engine is only ever touched from here, by one turn at a time.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type { CryptoError } from "effect/crypto/CryptoError"
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberHandle from "effect/FiberHandle"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { Engine } from "../engine/Engine.ts"
import type { JournalEntry, Output, SessionId } from "../engine/Inputs.ts"
import type { AnyKind } from "../engine/Kind.ts"
import type { Client } from "../engine/Operation.ts"
import type { Limits } from "../Limits.ts"
import * as Handshake from "../protocol/Handshake.ts"
import * as Frames from "../transport/Frames.ts"
import { type Link, LinkClosed } from "../transport/Link.ts"
import { SessionShell } from "./SessionShell.ts"

/** What a server is made of. */
export interface ServerOptions {
  readonly kinds: ReadonlyArray<AnyKind>
  readonly limits: Limits
  readonly key: Handshake.ManagerKey
  /** Told of every index as it is taken (S-31). */
  readonly journal?: ((entry: JournalEntry) => void) | undefined
  /** Looks at every step, its outputs not yet released: the simulator's judge. A sentence it returns stops the server. */
  readonly monitor?: ((engine: Engine, outputs: ReadonlyArray<Output>) => ReadonlyArray<string>) | undefined
}

/** A running server. */
export interface Server {
  readonly engine: Engine
  /** Serves one link until it ends. */
  readonly serve: (link: Link) => Effect.Effect<void, never, Scope.Scope>
  /** Never ends, unless the state can no longer be trusted: then it dies with the defect (S-2). */
  readonly awaitDefect: Effect.Effect<never>
  /** Tells every session that the manager ends, and waits until they have gone, at most a second. */
  readonly close: Effect.Effect<void>
}

/** A client that has proved the key. */
interface Admitted {
  readonly session: SessionId
  readonly label: Client
  readonly welcome: typeof Handshake.Welcome.Type
}

/** Starts a server. It stops with its scope; `close` before that is the polite way. */
export const make = (
  options: ServerOptions
): Effect.Effect<Server, never, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope> =>
  Effect.gen(function*() {
    const { limits, monitor } = options
    const clock = yield* Clock.Clock
    // No more than this: a link is served in the scope of whoever serves it.
    const context = Context.pick(Mac.Mac, SecureRandom.SecureRandom)(
      yield* Effect.context<Mac.Mac | SecureRandom.SecureRandom>()
    )
    const random = yield* SecureRandom.SecureRandom
    const defect = yield* Deferred.make<never>()
    const timer = yield* FiberHandle.make<void, never>()
    const runTimer = yield* FiberHandle.runtime(timer)<never>()
    const instance = Handshake.hexadecimal(yield* random.randomBytes(16))
    const engine = new Engine({
      epoch: clock.currentTimeMillisUnsafe(),
      kinds: options.kinds,
      limits,
      journal: options.journal
    })
    const shells = new Map<SessionId, SessionShell>()
    /** Shells with something to send at the end of this turn. */
    const told = new Set<SessionShell>()
    let sessions = 0
    let unauthenticated = 0
    let deadline: number | undefined
    /** False while a turn runs, and for ever after one that threw. */
    let trusted = true

    const step: Engine["step"] = (input) => {
      const before = engine.state.outputs.length
      engine.step(input)
      const broken = monitor?.(engine, engine.state.outputs.slice(before)) ?? []
      if (broken.length > 0) throw new Error(broken.join("\n"))
    }

    /** The gate (S-3): everything the turn produced leaves here, and only here. */
    const release = () => {
      const outputs = engine.takeOutputs()
      for (const output of outputs) {
        const shell = shells.get(output.session)
        if (shell === undefined) continue
        shell.tell(output)
        told.add(shell)
      }
      for (const shell of told) shell.endTurn()
      told.clear()
      const next = engine.nextDeadline
      if (next === deadline) return
      deadline = next
      if (next !== undefined) {
        runTimer(Effect.andThen(Effect.sleep(next - clock.currentTimeMillisUnsafe()), turn(() => {})))
      }
    }

    /** Turns asked for in the middle of another one: a session may end while its turn runs. They run after it. */
    const asked: Array<() => void> = []

    const runAsked = () => {
      for (let next = asked.shift(); next !== undefined; next = asked.shift()) {
        step({ _tag: "Time", now: clock.currentTimeMillisUnsafe() })
        next()
        release()
      }
    }

    /** Runs one turn. A throw means that the state can no longer be trusted: no turn runs after it (S-2). */
    const runTurn = (inputs: () => void) => {
      asked.push(inputs)
      if (!trusted) return
      trusted = false
      const ran = Result.try(runAsked)
      if (Result.isSuccess(ran)) trusted = true
      else Deferred.doneUnsafe(defect, Exit.die(ran.failure))
    }

    const turn = (inputs: () => void) => Effect.sync(() => runTurn(inputs))

    /** The handshake of one link, up to the last word; fails when there will be no session. */
    const examine = Effect.fnUntraced(function*(link: Link, frames: Frames.Frames) {
      const challenge = {
        magic: Handshake.magic,
        version: Handshake.protocolVersion,
        nonce: Handshake.hexadecimal(yield* random.randomBytes(32))
      } as const
      const refuse = (reason: (typeof Handshake.Refused.Type)["reason"]) => {
        link.send(Handshake.frame(Handshake.Verdict, Handshake.Refused.make({ reason })))
        return new LinkClosed({ reason })
      }
      link.send(Handshake.frame(Handshake.Challenge, challenge))
      const response = yield* frames.next.pipe(
        Effect.flatMap(Handshake.read(Handshake.Response)),
        Effect.catchTag("SchemaError", () => Effect.failSync(() => refuse("Malformed")))
      )
      if (response.version !== Handshake.protocolVersion) return yield* refuse("WrongVersion")
      const transcript = Handshake.transcript(challenge, response)
      if (!Handshake.sameProof(yield* Handshake.prove(options.key, "client", transcript), response.proof)) {
        return yield* refuse("WrongKey")
      }
      if (shells.size >= limits.sessionsMax) return yield* refuse("TooManySessions")
      const proof = yield* Handshake.prove(options.key, "server", transcript)
      const session = ++sessions
      const welcome = Handshake.Welcome.make({
        proof,
        session,
        epoch: engine.state.epoch,
        instance,
        operations: engine.operationTable,
        limits
      })
      return { session, label: { name: response.name, pid: response.pid }, welcome }
    })

    const admit = (link: Link, frames: Frames.Frames) =>
      Effect.suspend(() => {
        if (unauthenticated >= limits.unauthenticatedMax) {
          return Effect.fail(new LinkClosed({ reason: "too many connections are in the handshake" }))
        }
        unauthenticated++
        return examine(link, frames).pipe(
          Effect.timeout(limits.handshakeMs),
          Effect.ensuring(Effect.sync(() => unauthenticated--))
        )
      })

    /** One session, from its first message to its end step (S-11). */
    const run = (link: Link, frames: Frames.Frames, { label, session, welcome }: Admitted) => {
      const shell = new SessionShell(session, link, engine, step, limits)
      const handler: Frames.FrameHandler = {
        onFrame: (frame) => shell.receive(frame),
        onTurnEnd: () =>
          runTurn(() => {
            told.add(shell)
            shell.turn()
          }),
        onDrain: () => runTurn(() => shell.resume())
      }
      // Whoever hears this speaks at once: by then somebody must listen.
      const ready = () => link.send(Handshake.frame(Handshake.Verdict, welcome))
      return Effect.acquireUseRelease(
        turn(() => {
          shells.set(session, shell)
          step({ _tag: "Open", session, label })
        }),
        () =>
          Effect.raceAllFirst([
            frames.handOver(limits.frameBytesMax, handler, ready),
            Deferred.await(shell.left),
            // Nobody waits for a server that has stopped.
            Deferred.await(defect)
          ]),
        () =>
          turn(() => {
            shells.delete(session)
            step({ _tag: "End", session })
          })
      )
    }

    const serve: Server["serve"] = (link) =>
      Effect.gen(function*() {
        const frames = yield* Frames.make(link, limits.handshakeBytesMax)
        yield* run(link, frames, yield* admit(link, frames))
      }).pipe(
        Effect.catchTags({
          LinkClosed: () => Effect.void,
          TimeoutError: () => Effect.void
        }),
        Effect.catchCause((cause: Cause.Cause<CryptoError>) =>
          Cause.hasInterruptsOnly(cause) ?
            Effect.failCause(cause as Cause.Cause<never>) :
            Effect.asVoid(Deferred.failCause(defect, Cause.die(Cause.squash(cause))))
        ),
        Effect.provideContext(context)
      )

    return {
      engine,
      serve,
      awaitDefect: Deferred.await(defect),
      close: Effect.suspend(() => {
        for (const shell of shells.values()) shell.close("the manager was shut down")
        return Effect.forEach([...shells.values()], (shell) => Deferred.await(shell.left), {
          concurrency: "unbounded",
          discard: true
        }).pipe(Effect.timeoutOption(1_000), Effect.asVoid)
      })
    }
  })
