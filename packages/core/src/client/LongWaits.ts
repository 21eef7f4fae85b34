/**
 * Calls that wait for long: each is logged once, at the level Debug, with the holders of the object that it waits for.
 *
 * A call is noticed only once the manager has said that it waits, and only if its fiber logs at that level. One timer
 * serves all of them, and there is none while none waits.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import type { Holder } from "../engine/Inspection.ts"
import type { Argument, ObjectId } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import type { Call, Complete } from "./Call.ts"
import type { Target } from "./Target.ts"

/** After that many milliseconds a wait is long. */
const longMs = 10_000

/** Milliseconds between two looks at the waiting calls, at least. */
const pauseMs = 1_000

/** Bytes of the holders that a line names. */
const bytesMax = 1_000

/** Calls the operation `holders` of the directory. */
type ReadHolders = (
  args: ReadonlyArray<Argument>,
  complete: Complete<ReadonlyArray<Holder>, never>
) => Effect.Effect<ReadonlyArray<Holder>, ManagerError>

/** The long waits of one connection. */
export class LongWaits {
  readonly #context: Context.Context<never>
  readonly #clock: Clock.Clock
  readonly #calls: () => Iterable<Call>
  readonly #readHolders: ReadHolders
  #watching: Fiber.Fiber<void> | undefined

  /** `calls`: all that have not ended. */
  constructor(context: Context.Context<never>, calls: () => Iterable<Call>, readHolders: ReadHolders) {
    this.#context = context
    this.#clock = Context.get(context, Clock.Clock)
    this.#calls = calls
    this.#readHolders = readHolders
  }

  /** A call begins to wait in the manager. */
  begin(call: Call): void {
    const { fiber } = call
    if (fiber === undefined || isSilent(fiber)) return
    call.waitsSince = this.#clock.currentTimeMillisUnsafe()
    this.#watching ??= Effect.runForkWith(this.#context)(Effect.andThen(Effect.sleep(longMs), this.#watch))
  }

  /**
   * Runs an effect that waits in this process for changes of an object, as `until` does. It is logged as a call that waits
   * in the manager.
   */
  notice<A, E, R>(target: Target, operation: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.withFiber((fiber) => {
      if (isSilent(fiber)) return effect
      const wait = { name: operation, description: target.description, objects: [target.id], fiber }
      let isOver = false
      const log = Effect.sync(() => Effect.runForkWith(this.#context)(this.#log(wait, () => !isOver)))
      const waiting = Effect.ensuring(effect, Effect.sync(() => isOver = true))
      return Effect.raceFirst(waiting, Effect.andThen(Effect.sleep(longMs), Effect.andThen(log, Effect.never)))
    })
  }

  /** The connection has ended. */
  stop(): void {
    this.#watching?.interruptUnsafe()
  }

  readonly #watch: Effect.Effect<void> = Effect.suspend(() => {
    const now = this.#clock.currentTimeMillisUnsafe()
    const long: Array<Call> = []
    let next = Infinity
    for (const call of this.#calls()) {
      if (call.state !== "Parked" || call.waitsSince === undefined) continue
      if (now - call.waitsSince < longMs) next = Math.min(next, call.waitsSince + longMs)
      else {
        call.waitsSince = undefined
        long.push(call)
      }
    }
    if (next === Infinity) this.#watching = undefined
    const again = Effect.andThen(Effect.sleep(Math.max(next - now, pauseMs)), this.#watch)
    return Effect.andThen(
      Effect.forEach(long, this.#logCall, { discard: true }),
      next === Infinity ? Effect.void : again
    )
  })

  readonly #logCall = (call: Call): Effect.Effect<void> => {
    const { joint, operation: { name }, target: { description, id } } = call
    const objects = joint?.map(({ object }) => object) ?? [id]
    return this.#log({ name, description, objects, fiber: call.fiber! }, () => call.state === "Parked")
  }

  #log(wait: Wait, isWaiting: () => boolean): Effect.Effect<void> {
    const read = Effect.forEach(wait.objects, (id) => this.#readHolders([id, 0, bytesMax], holders))
    return Effect.ignore(Effect.map(read, (holders) => {
      // With the loggers and annotations of the fiber that waits.
      if (isWaiting()) Effect.runForkWith(wait.fiber.context)(Effect.logDebug(describe(wait, holders.flat())))
    }))
  }
}

/** What waits, and for which objects. */
interface Wait {
  readonly name: string
  readonly description: string
  readonly objects: ReadonlyArray<ObjectId>
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

// internals

/** More than nothing, and then the holders, each as JSON. */
const holders: Complete<ReadonlyArray<Holder>, never> = (outcome) =>
  // The manager wrote them, and is of the protocol version that the handshake has checked.
  Exit.succeed(outcome._tag === "Failure" ? [] : outcome.reply.slice(1).map((row) => JSON.parse(String(row)) as Holder))

/** Whether a fiber does not log at that level. */
const isSilent = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  LogLevel.isGreaterThan(fiber.getRef(References.MinimumLogLevel), "Debug")

const describe = ({ description, name, objects }: Wait, holders: ReadonlyArray<Holder>): string => {
  const held = holders.map(({ name, pid, session, token }) =>
    `${name} (pid ${pid}, session ${session}, token ${token})`
  )
  const [are, what] = objects.length === 1 ? ["is", "object"] : ["are", "objects"]
  return `${name} on ${description} (${what} ${objects.join(", ")}) has waited for ${longMs / 1_000} s. ` +
    (held.length === 0 ? `Nobody holds the ${what}` : `The ${what} ${are} held by ${held.join(", ")}`)
}
