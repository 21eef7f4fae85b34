/**
 * The links of a connection, one after the other. A link that is lost is replaced until the grace of the session is over.
 *
 * ```text
 *   link ─► lost ─► reconnecting ─► Resume ─► link …
 *                        │ three quarters of the grace: the holds are given up
 *                        └ all of the grace, or a refusal: the session is lost
 * ```
 *
 * The manager's grace begins when the manager loses the link, which may be before this client does. But it is not before
 * the manager has sent what this client has heard last. So the client counts from then, and asks often enough whether the
 * manager is there: its holds are given up before another client gets them.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type { ManagerError } from "../ManagerError.ts"
import { Recorder } from "../metrics/Recorder.ts"
import type { Asked, Welcome } from "../protocol/Handshake.ts"
import type { Frames } from "../transport/Frames.ts"
import { type Link, LinkClosed } from "../transport/Link.ts"
import type { Connection } from "./Connection.ts"

/** How a lost link is replaced. */
export interface Reconnect {
  /** How long the session is to survive without a link, in milliseconds. */
  readonly graceMs: number
  /** How long the client may say nothing before its link counts as lost, in milliseconds. Absent: as the manager has it. */
  readonly silenceMs?: number | undefined
  /** When it is tried again. */
  readonly schedule?: Schedule.Schedule<unknown> | undefined
}

/** A link after the handshake. */
export interface Shaken {
  readonly link: Link
  readonly frames: Frames
  readonly welcome: typeof Welcome.Type
}

/** What is needed to replace the links of a connection. */
interface Keep {
  /** For messages. */
  readonly address: string
  readonly first: Shaken
  readonly secret: string
  readonly schedule: Reconnect["schedule"]
}

/** The part of the grace after which holds are given up. */
const holdsShare = 3 / 4

/** A link is lost when this number of questions in a row got no reply. Not after a time: this process may stand still. */
const questionsMax = 2

const defaultSchedule = Schedule.jittered(
  Schedule.min([Schedule.exponential("20 millis"), Schedule.spaced("1 second")])
)

/** Makes the links of one connection, for the life of the scope. `shake`: opens a link and shakes hands over it. */
export const make = <R>(shake: (session: Asked) => Effect.Effect<Shaken, ManagerError, R | Scope.Scope>) =>
  Effect.gen(function*() {
    /** Of the link in use. */
    let scope = Scope.makeUnsafe()
    /** A time after which the manager has had this link, in milliseconds of the epoch. */
    let heardAt = 0
    yield* Effect.addFinalizer((exit) => Effect.suspend(() => Scope.close(scope, exit)))

    const open = (session: Asked): Effect.Effect<Shaken, ManagerError, Exclude<R, Scope.Scope>> =>
      Effect.suspend(() => {
        const next = Scope.makeUnsafe()
        return Effect.onExit(
          Scope.provide(shake(session), next),
          (exit) => Exit.isSuccess(exit) ? Effect.sync(() => scope = next) : Scope.close(next, exit)
        )
      })

    /** Replaces a lost link. Fails when the session is lost. */
    const replace = (connection: Connection, { schedule = defaultSchedule, secret }: Keep) =>
      Effect.gen(function*() {
        const { graceMs, instance, session } = connection.agreement
        const now = yield* Clock.currentTimeMillis
        connection.unlink(now)
        yield* Scope.close(scope, Exit.void)
        const holdsMs = graceMs * holdsShare
        const trip = Effect.sync(() => connection.holds.tripAll(`the manager could not be reached for ${holdsMs} ms`))
        const giveUp = Effect.sleep(Math.max(0, heardAt + holdsMs - now)).pipe(
          Effect.andThen(trip),
          Effect.andThen(Effect.never)
        )
        const asked = Effect.suspend(() => open({ _tag: "Resume", instance, session, secret, index: connection.seen }))
        const linked = yield* Effect.retry(asked, { schedule, while: isTransient }).pipe(
          Effect.raceFirst(giveUp),
          Effect.mapError(({ message }) => message),
          Effect.timeoutOption(graceMs)
        )
        return Option.isSome(linked)
          ? linked.value
          : yield* Effect.fail(`it could not be reached for ${graceMs} ms, the grace of the session`)
      })

    /** Asks the manager again and again whether it is there. Fails when it is not. */
    const ask = (connection: Connection): Effect.Effect<never, LinkClosed> =>
      Effect.gen(function*() {
        const { heartbeatMs } = connection.agreement
        heardAt = yield* Clock.currentTimeMillis
        for (let unanswered = 0; unanswered < questionsMax;) {
          const askedAt = yield* Clock.currentTimeMillis
          connection.ping()
          yield* Effect.sleep(heartbeatMs)
          unanswered = connection.isHeard ? 0 : unanswered + 1
          if (connection.isHeard) heardAt = askedAt
        }
        return yield* new LinkClosed({ reason: `nothing was heard for ${questionsMax * heartbeatMs} ms` })
      })

    /** Reads the link in use, and those that replace it, for the life of the scope. Returns when it listens. */
    const keep = (connection: Connection, options: Keep) =>
      Effect.gen(function*() {
        const { address, first } = options
        const listening = yield* Deferred.make<void>()
        const recorder = yield* Recorder
        const serve = ({ frames, welcome }: Shaken, onReady: () => void): Effect.Effect<never, LinkClosed> => {
          const read = frames.handOver(welcome.limits.frameBytesMax, connection, onReady)
          return connection.agreement.graceMs === 0 ? read : Effect.raceFirst(read, ask(connection))
        }
        const loop = Effect.gen(function*() {
          let { reason } = yield* Effect.flip(serve(first, () => Deferred.doneUnsafe(listening, Effect.void)))
          while (connection.ended === undefined && connection.agreement.graceMs > 0) {
            const next = yield* replace(connection, options).pipe(
              Effect.mapError((why) => ({ reason: `${reason}; ${why}` }))
            )
            const closed = yield* Effect.flip(serve(next, () => {
              connection.relink(next.link)
              recorder?.reconnected()
            }))
            reason = closed.reason
          }
          return yield* Effect.fail({ reason })
        })
        yield* loop.pipe(
          Effect.catch(({ reason }) =>
            Effect.sync(() => connection.end(`the connection to the manager at ${address} was lost: ${reason}`))
          ),
          Effect.catchDefect((defect) => Effect.sync(() => connection.fail(defect))),
          Effect.forkScoped
        )
        // Replies may come as soon as a call is made.
        yield* Deferred.await(listening)
      })

    return { open, keep }
  })

/** Whether another attempt may succeed. */
const isTransient = ({ reason }: ManagerError): boolean =>
  reason._tag === "ConnectFailed" ||
  reason._tag === "HandshakeRefused" && (reason.why === "TooManyHandshakes" || reason.why === "TooManySessions")
