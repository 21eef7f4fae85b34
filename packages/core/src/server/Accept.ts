/**
 * Accepting links: the server's side of the handshake (`protocol/Handshake.ts`), then the session, from its first
 * message to its end.
 */
import * as Cause from "effect/Cause"
import type { CryptoError } from "effect/crypto/CryptoError"
import type * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SessionId } from "../engine/Inputs.ts"
import type { Client } from "../engine/Operation.ts"
import type { Limits } from "../Limits.ts"
import * as Handshake from "../protocol/Handshake.ts"
import { SharedArguments } from "../protocol/Message.ts"
import * as Frames from "../transport/Frames.ts"
import { type Link, LinkClosed } from "../transport/Link.ts"
import type { EngineHost } from "./EngineHost.ts"
import { farewell, type SessionEngine, SessionShell } from "./SessionShell.ts"

/** How links are accepted. */
export interface AcceptOptions {
  readonly host: EngineHost
  readonly key: Handshake.ManagerKey
  readonly limits: Limits
}

/** How long a client may take to read the last bytes of its session: it may be frozen. */
const lastBytesMs = 1_000

/** A client that has proved the key. */
interface Admitted {
  readonly session: SessionId
  readonly label: Client
  readonly welcome: typeof Handshake.Welcome.Type
}

/** Makes the function that serves one link until it ends. */
export const make = (
  { host, key, limits }: AcceptOptions
): Effect.Effect<
  (link: Link) => Effect.Effect<void, never, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope>,
  never,
  SecureRandom.SecureRandom
> =>
  Effect.gen(function*() {
    const random = yield* SecureRandom.SecureRandom
    const instance = Handshake.hexadecimal(yield* random.randomBytes(16))
    const shared = new SharedArguments()
    let sessions = 0
    let unauthenticated = 0
    /** Links of sessions, also of ended ones until their clients have read the last bytes. */
    let open = 0

    const refusal = (link: Link, reason: (typeof Handshake.Refused.Type)["reason"]) => {
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
      if (!Handshake.sameProof(yield* Handshake.prove(key, "client", transcript), response.proof)) {
        return yield* refusal(link, "WrongKey")
      }
      if (open >= limits.sessionsMax) return yield* refusal(link, "TooManySessions")
      const proof = yield* Handshake.prove(key, "server", transcript)
      const session = ++sessions
      const welcome = Handshake.Welcome.make({
        proof,
        session,
        epoch: host.engine.state.epoch,
        instance,
        operations: host.engine.operationTable,
        limits
      })
      return { session, label: { name: response.name, pid: response.pid }, welcome }
    })

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

    /** One session. Its last input is its end step, however it ends (S-11). */
    const run = (link: Link, guarded: Link, frames: Frames.Frames, { label, session, welcome }: Admitted) => {
      // The client sends requests as soon as it has read this: by then the session must listen.
      const ready = () => guarded.send(Handshake.frame(Handshake.Verdict, welcome))
      let look = () => {}
      const shell = new SessionShell(session, guarded, limits, engineOf(host, session), shared)
      const heard = { shell, run: () => shell.turn() }
      const drained = { shell, run: () => shell.resume() }
      const handler: Frames.FrameHandler = {
        onFrame: (frame) => shell.receive(frame),
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
      return Effect.acquireUseRelease(
        turn(() => {
          host.shells.set(session, shell)
          host.step({ _tag: "Open", session, label })
        }),
        () =>
          Effect.raceAllFirst([
            frames.handOver(limits.frameBytesMax, handler, ready),
            Deferred.await(shell.left),
            // A server that has stopped serves no session.
            Deferred.await(host.defect)
          ]),
        () =>
          turn(() => {
            host.shells.delete(session)
            host.step({ _tag: "End", session })
          })
      ).pipe(
        // The session was ended by one of the sides. If it was the server, its reason must leave before the link closes.
        Effect.andThen(Effect.raceFirst(host.gate.released, Deferred.await(host.defect))),
        Effect.tapError(({ reason }) => tell(link, `the manager has ended this session: ${reason}`)),
        Effect.tapDefect((defect) =>
          tell(
            link,
            Deferred.isDoneUnsafe(host.defect)
              ? `the manager has stopped because of a defect (${defect})`
              : `a defect of the manager has ended this session (${defect}); the manager goes on`
          )
        ),
        Effect.tapCause(() => lastBytes),
        Effect.andThen(lastBytes)
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
        // The handshake tells nothing of the state. Every later frame passes the gate.
        const guarded = host.gate.guard(link)
        const frames = yield* Frames.make(guarded, limits.handshakeBytesMax)
        const admitted = yield* admit(link, frames)
        open++
        yield* Effect.addFinalizer(() => Effect.sync(() => open--))
        yield* run(link, guarded, frames, admitted)
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

const engineOf = ({ engine, step }: EngineHost, id: SessionId): SessionEngine => ({
  step,
  remembered: () => engine.state.sessions.get(id)?.answered.size ?? 0,
  rememberedBytes: () => engine.state.sessions.get(id)?.answeredBytes ?? 0,
  settles: (request) => engine.settles(request)
})
