/**
 * Accepting links: the server's side of the handshake (`protocol/Handshake.ts`), then the session over this link, which
 * begins or goes on with the link. The link ends the session, or is lost to it.
 *
 * A session has one link. Who resumes a session that has a link takes its place: mostly it is the same client, which
 * has noticed before the manager that its link is lost.
 */
import * as Cause from "effect/Cause"
import type { CryptoError } from "effect/crypto/CryptoError"
import type * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { CallInput, Grace, Rights, SessionId } from "../engine/Inputs.ts"
import type { Client } from "../engine/Operation.ts"
import * as Permission from "../engine/Permission.ts"
import type { EngineState, Session } from "../engine/State.ts"
import type { ObjectId } from "../engine/Value.ts"
import type { Limits } from "../Limits.ts"
import * as Handshake from "../protocol/Handshake.ts"
import { SharedArguments } from "../protocol/Message.ts"
import * as Frames from "../transport/Frames.ts"
import { type Link, LinkClosed } from "../transport/Link.ts"
import * as CallSpans from "./CallSpans.ts"
import type { EngineHost } from "./EngineHost.ts"
import { atMost, type Credential } from "./Keys.ts"
import { Pace } from "./Pace.ts"
import { farewell, type SessionEngine, SessionShell } from "./SessionShell.ts"

/** How links are accepted. */
export interface AcceptOptions {
  readonly host: EngineHost
  /** The name of this manager, which no other one has. */
  readonly instance: string
  readonly credentials: ReadonlyArray<Credential>
  readonly limits: Limits
  /** Told of the index that a client knows of, and that this manager has not reached. */
  readonly onAhead?: ((index: number) => void) | undefined
}

/** How long a client may take to read the last bytes of its session: it may be frozen. */
const lastBytesMs = 1_000

/**
 * How often a client with a grace says that it is there, as a part of the grace or of its longest silence; and how often
 * the server looks whether it has.
 */
const heartbeatShare = 1 / 4

/** A client that has proved a key. */
interface Admitted {
  readonly proof: string
  /** Of the key that it has proved. */
  readonly rights: Rights | undefined
  readonly label: Client
  readonly asked: Handshake.Asked
  /** How long it may say nothing, in milliseconds. */
  readonly silenceMs: number
  /** Of the secret with which it resumes a session. */
  readonly secretHash: string | undefined
}

/** A session that has this link. */
interface Entered {
  readonly session: Session
  readonly shell: SessionShell
}

/** Makes the function that serves one link until it ends. */
export const make = (
  { credentials, host, instance, limits, onAhead }: AcceptOptions
): Effect.Effect<
  (link: Link) => Effect.Effect<void, never, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope>,
  never,
  SecureRandom.SecureRandom
> =>
  Effect.gen(function*() {
    const random = yield* SecureRandom.SecureRandom
    const shared = new SharedArguments()
    const { state } = host.engine
    const makeSpans = yield* CallSpans.make
    const described = ({ object, operation }: CallInput) => describe(state, object, operation)
    const paces = new WeakMap<Session, Pace>()
    let unauthenticated = 0
    /** Links of admitted clients, also those of ended sessions until their clients have read the last bytes. */
    let open = 0

    /**
     * A server that has stopped serves no session. One that leads no longer says nothing: its sessions go on at the next
     * leader.
     */
    const stopped = Effect.mapError(
      Deferred.await(host.defect),
      ({ message }) => new LinkClosed({ reason: message })
    )

    const refusal = (link: Link, reason: Reason) => {
      link.send(Handshake.frame(Handshake.Verdict, Handshake.Refused.make({ reason })))
      return new LinkClosed({ reason })
    }

    /** The handshake of one link. A refusal is sent; the welcome is returned, to be sent when the session listens. */
    const examine = Effect.fnUntraced(function*(link: Link, frames: Frames.Frames) {
      const challenge = {
        magic: Handshake.magic,
        version: Handshake.protocolVersion,
        nonce: Handshake.hexadecimal(yield* random.randomBytes(32))
      } as const
      link.send(Handshake.frame(Handshake.Challenge, challenge))
      const response = yield* frames.next.pipe(
        Effect.flatMap(Handshake.read(Handshake.Response)),
        Effect.catchTag("SchemaError", () => Effect.failSync(() => refusal(link, "Malformed")))
      )
      if (response.version !== Handshake.protocolVersion) return yield* refusal(link, "WrongVersion")
      const transcript = Handshake.transcript(challenge, response, link.binding)
      const credential = yield* proved(transcript, response.proof)
      if (credential === undefined) return yield* refusal(link, "WrongKey")
      const { roleMax = "owner" } = link
      if (roleMax === "none") return yield* refusal(link, "NoRole")
      return {
        proof: yield* Handshake.prove(credential.key, "server", transcript),
        rights: atMost(credential.rights, roleMax),
        label: { name: response.name, pid: response.pid },
        asked: response.session,
        silenceMs: Math.min(response.silenceMs ?? Infinity, limits.silenceMs),
        secretHash: response.session._tag === "Resume" ? yield* Handshake.hashOf(response.session.secret) : undefined
      }
    })

    /** The credential whose key a client has proved. All are tried, so the time does not tell which. */
    const proved = Effect.fnUntraced(function*(transcript: string, proof: string) {
      let found: Credential | undefined
      for (const credential of credentials) {
        if (Handshake.sameProof(yield* Handshake.prove(credential.key, "client", transcript), proof)) found = credential
      }
      return found
    })

    /** Begins a session, or resumes one. Only within a turn. */
    const enter = (link: Link, guarded: Link, admitted: Admitted): Entered | Reason => {
      const { asked } = admitted
      const session = asked._tag === "Begin" ? begin(admitted, asked.grace) : find(admitted, asked)
      if (typeof session === "string") return session
      const { id } = session
      host.shells.get(id)?.expel("its client has resumed it over another connection")
      if (asked._tag === "Resume") host.step({ _tag: "Linked", session: id })
      const shell = new SessionShell(id, guarded, limits, engineOf(host, id), shared, {
        ungated: link,
        isResumed: asked._tag === "Resume",
        pace: paceOf(session),
        spans: makeSpans?.(described)
      })
      host.shells.set(id, shell)
      return { session, shell }
    }

    /** A session has one pace, whatever number of links it has had. */
    const paceOf = (session: Session): Pace | undefined => {
      const pace = paces.get(session) ?? Pace.make(limits, state.now)
      if (pace !== undefined) paces.set(session, pace)
      return pace
    }

    const begin = ({ label, rights }: Admitted, asked: Grace | undefined): Session | Reason => {
      const unlinked = state.sessions.size - host.shells.size
      if (open + unlinked > limits.sessionsMax) return "TooManySessions"
      const grace = asked && { ...asked, milliseconds: Math.min(asked.milliseconds, limits.sessionGraceMs) }
      host.step({ _tag: "Open", label, grace, rights })
      return state.sessions.get(state.lastSession)!
    }

    const find = ({ rights, secretHash }: Admitted, asked: typeof Handshake.Resume.Type): Session | Reason => {
      const session = state.sessions.get(asked.session)
      if (session === undefined || asked.instance !== instance) return "SessionLost"
      const isOwn = session.grace !== undefined && Handshake.sameProof(session.grace.secretHash, secretHash ?? "") &&
        // Who has seen a secret on an unencrypted link gets no other rights by it.
        Permission.areSame(session.rights, rights)
      if (!isOwn) return "WrongSecret"
      if (asked.index <= state.index) return session
      // A manager that has not reached the newest index of its client has lost what it had promised.
      onAhead?.(asked.index)
      return onAhead === undefined ? "SessionLost" : "LogDamaged"
    }

    const admit = (link: Link, frames: Frames.Frames) =>
      Effect.suspend(() => {
        if (unauthenticated >= limits.unauthenticatedMax) {
          return Effect.fail(refusal(link, "TooManyHandshakes"))
        }
        unauthenticated++
        return examine(link, frames).pipe(
          Effect.timeout(limits.handshakeMs),
          Effect.ensuring(Effect.sync(() => unauthenticated--))
        )
      })

    const turn = (run: () => void) => Effect.sync(() => host.turn({ run }))

    /** Gives a session this link. A refusal is sent. */
    const entering = (link: Link, guarded: Link, admitted: Admitted): Effect.Effect<Entered, LinkClosed> =>
      Effect.suspend(() => {
        let entered: Entered | Reason | undefined
        host.turn({ run: () => entered = enter(link, guarded, admitted) })
        // A server that has stopped takes no turns.
        if (entered === undefined) return stopped
        return typeof entered === "string" ? Effect.fail(refusal(link, entered)) : Effect.succeed(entered)
      })

    /** The end of a link: a session without another one is over, or has its grace (S-6, S-11). */
    const leave = ({ session: { id }, shell }: Entered, exit: Exit.Exit<unknown, LinkClosed>) =>
      turn(() => {
        shell.endSpans()
        if (host.shells.get(id) !== shell) return
        host.shells.delete(id)
        host.step({ _tag: isLost(exit) ? "Unlinked" : "End", session: id })
      })

    /** A session over this link. */
    const run = (
      link: Link,
      guarded: Link,
      frames: Frames.Frames,
      { proof, silenceMs }: Admitted,
      entered: Entered,
      restore: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
    ) => {
      const { session, shell } = entered
      const graceMs = session.grace?.milliseconds ?? 0
      let isHeard = true
      /** The looks in a row that have found that nothing was heard. */
      let silent = 0
      const welcome = Handshake.Welcome.make({
        proof,
        session: session.id,
        role: session.rights?.role ?? "owner",
        graceMs,
        heartbeatMs: Math.ceil(Math.min(graceMs, silenceMs) * heartbeatShare),
        epoch: state.epoch,
        instance,
        operations: host.engine.operationTable,
        limits
      })
      let look = () => {}
      const heard = { shell, run: () => shell.turn() }
      const drained = { shell, run: () => shell.resume() }
      // The client sends requests as soon as it has read this: by then the session must listen.
      const ready = () => {
        shell.open(Handshake.frame(Handshake.Verdict, welcome))
        host.turn(drained)
      }
      const handler: Frames.FrameHandler = {
        onFrame: (frame) => {
          isHeard = true
          return shell.receive(frame)
        },
        onTurnEnd: () => {
          host.turn(heard)
          look()
        },
        onDrain: () => {
          host.turn(drained)
          look()
        }
      }
      /**
       * The client has read the last bytes and said goodbye, or its time for that is over. A client that writes to a
       * closed link may never read the bytes that it has received, and the reason of the end is in them.
       */
      const lastBytes = Effect.callback<void>((resume) => {
        look = () => shell.saidGoodbye && guarded.pendingBytes() === 0 && resume(Effect.void)
        look()
      }).pipe(Effect.raceFirst(frames.ended), Effect.timeoutOption(lastBytesMs))
      const listening = Effect.suspend((): Effect.Effect<void, LinkClosed> => {
        silent = isHeard ? 0 : silent + 1
        isHeard = false
        return silent * heartbeatShare < 1
          ? Effect.sleep(silenceMs * heartbeatShare)
          : Effect.fail(new LinkClosed({ reason: `nothing was heard for ${silenceMs} ms` }))
      }).pipe(Effect.forever)
      /** Turns to the session again when the requests that wait for its pace may go on. */
      const pacing = Effect.callback<number>((resume) => {
        shell.onPaced = () => {
          const { pacedMs } = shell
          if (pacedMs !== undefined) resume(Effect.succeed(pacedMs))
        }
        shell.onPaced()
      }).pipe(Effect.flatMap(Effect.sleep), Effect.andThen(Effect.sync(() => host.turn(drained))), Effect.forever)
      const served = Effect.raceAllFirst([
        frames.handOver(limits.frameBytesMax, handler, ready),
        ...graceMs > 0 ? [listening] : [],
        Deferred.await(shell.left),
        ...shell.isPaced ? [pacing] : [],
        stopped
      ])
      return restore(served).pipe(
        Effect.onExit((exit) => leave(entered, exit)),
        // The session was ended by one of the sides. If it was the server, its reason must leave before the link closes.
        Effect.andThen(restore(Effect.raceFirst(host.gate.released, stopped))),
        Effect.tapError(({ isBreach, reason }) =>
          isBreach === true ? tell(link, `the manager has ended this session: ${reason}`) : Effect.void
        ),
        Effect.tapDefect((defect) =>
          tell(
            link,
            Deferred.isDoneUnsafe(host.defect)
              ? `the manager has stopped because of a defect (${defect})`
              : `a defect of the manager has ended this session (${defect}); the manager goes on`
          )
        ),
        Effect.tapCause(() => restore(lastBytes)),
        Effect.andThen(restore(lastBytes))
      )
    }

    /** Tells a client why its session has ended. Not through the gate: after a defect of the host it releases nothing. */
    const tell = (link: Link, reason: string) =>
      // The link may be what is broken.
      Effect.ignoreCause(Effect.sync(() => link.send(farewell(reason))))

    /** One link's defect ends that link alone, and is reported once. That of the host is reported where it was made. */
    const report = (cause: Cause.Cause<CryptoError>) =>
      Effect.logError("A defect of the manager ended a session. The manager and all others go on.", cause).pipe(
        Effect.when(Effect.sync(() => !Deferred.isDoneUnsafe(host.defect))),
        Effect.asVoid
      )

    return (link) =>
      Effect.gen(function*() {
        // The handshake and the answer to a ping tell nothing of the state. All other frames pass the gate.
        const guarded = host.gate.guard(link)
        const frames = yield* Frames.make(guarded, limits.handshakeBytesMax)
        const admitted = yield* admit(link, frames)
        open++
        yield* Effect.addFinalizer(() => Effect.sync(() => open--))
        yield* Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(
            entering(link, guarded, admitted),
            (entered) => run(link, guarded, frames, admitted, entered, restore)
          )
        )
      }).pipe(
        Effect.catchTags({
          LinkClosed: () => Effect.void,
          TimeoutError: () => Effect.void
        }),
        Effect.catchCause((cause: Cause.Cause<CryptoError>) =>
          Cause.hasInterruptsOnly(cause) ? Effect.failCause(cause as Cause.Cause<never>) : report(cause)
        )
      )
  })

// internals

type Reason = (typeof Handshake.Refused.Type)["reason"]

/**
 * Whether only the link has ended: also by an interruption, which is how a client in this process gives up its link. Otherwise
 * one of the sides has ended the session, or the client must not go on.
 */
const isLost = (exit: Exit.Exit<unknown, LinkClosed>): boolean =>
  Exit.isFailure(exit) &&
  exit.cause.reasons.every((reason) =>
    Cause.isInterruptReason(reason) || Cause.isFailReason(reason) && reason.error.isBreach !== true
  )

/** What a span says of a call. Its object may be none. */
const describe = ({ objects }: EngineState, id: ObjectId, operation: number): CallSpans.Described => {
  const object = objects.get(id)
  if (object === undefined) return { operation: "call", object: `#${id}` }
  const { kind: { name: kind }, name, operations } = object
  return {
    operation: `${kind}.${operations[operation]?.[0] ?? operation}`,
    object: name === undefined ? `${kind} #${id}` : `${kind} ${JSON.stringify(name)}`
  }
}

const engineOf = ({ engine, step }: EngineHost, id: SessionId): SessionEngine => ({
  step,
  remembered: () => {
    const session = engine.state.sessions.get(id)
    return session === undefined ? 0 : session.answered.size + session.fates.size
  },
  rememberedBytes: () => engine.state.sessions.get(id)?.answeredBytes ?? 0,
  settles: (request) => engine.settles(request),
  settlesNow: (request) => engine.settlesNow(request),
  isKnown: (sequence) => engine.isKnown(id, sequence),
  now: () => engine.state.now
})
