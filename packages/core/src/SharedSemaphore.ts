/**
 * A shared semaphore: Effect's `Semaphore`, in FIFO order and fenced (S-13, S-21).
 *
 * All processes together hold at most `permits` permits. Inside `withPermits` every call to this manager carries the
 * hold, so a holder that has lost its permits cannot write as if it still had them.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { semaphore } from "./engine/kinds/semaphore.ts"
import type { ManagerError } from "./ManagerError.ts"
import { Held, under } from "./proxy/hold.ts"
import { type HoldFor, holdForOption } from "./proxy/holdFor.ts"
import type { Manager } from "./proxy/Manager.ts"
import type { Refusals, Remote, Restore } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"

/** The request needs more permits than the semaphore was made with. Nothing was acquired. */
export class TooManyPermits extends Schema.TaggedError<TooManyPermits>()("TooManyPermits", {
  semaphore: Schema.String,
  permits: Schema.Number
}) {
  override get message(): string {
    return `${this.semaphore} has ${this.permits} permits in all: a request for more would wait forever. ` +
      "Nothing was acquired"
  }
}

/**
 * The permits were lost while the body ran: the semaphore was removed, the connection ended, or they were held longer than
 * `holdFor`.
 */
export class PermitsLost extends Schema.TaggedError<PermitsLost>()("PermitsLost", {
  semaphore: Schema.String,
  permits: Schema.Number,
  /** For people. */
  why: Schema.String
}) {
  override get message(): string {
    return `${this.permits} permits of ${this.semaphore} were lost while they were held: ${this.why}. The body was ` +
      "interrupted. Its writes to this manager before the loss stand, and later ones are refused"
  }
}

/** A shared semaphore. */
export interface SharedSemaphore extends Shared.Shared {
  /**
   * Acquires `permits` permits, runs an effect, and releases them however the effect ends. Not re-entrant: a fiber that
   * acquires more permits while it holds some may wait for itself. That fails with `ManagerError` of reason
   * `DeadlockDetected`, as every cycle of holds does.
   *
   * **Fairness** FIFO: a small request does not overtake a large one.
   *
   * **Cancellation** Interruptible while it waits: the request leaves the queue, and permits that were already granted
   * are released. Interrupting the body releases the permits after the body's finalizers.
   *
   * **On disconnect** While waiting: `ManagerError`. While holding: the body is interrupted and the effect fails with
   * `PermitsLost`; the manager takes the permits back.
   */
  readonly withPermits: (
    permits: number
  ) => <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | TooManyPermits | PermitsLost | ManagerError, R>
  /** The same as `withPermits(1)`. **Fairness**, **Cancellation** and **On disconnect** as `withPermits`. */
  readonly withPermit: <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | TooManyPermits | PermitsLost | ManagerError, R>
  /** As `withPermits` if the permits are free and nobody waits for any; otherwise returns `None` without waiting. */
  readonly withPermitsIfAvailable: (
    permits: number
  ) => <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<Option.Option<A>, E | TooManyPermits | PermitsLost | ManagerError, R>
  /** Returns how many permits are free. Others may have acquired them by the time this returns. */
  readonly available: Effect.Effect<number, ManagerError>
}

/** Options of a semaphore. All programs that open a name must agree on them. */
export interface Options extends HoldFor {
  /** How many permits there are in all: a whole number of at least 1. */
  readonly permits: number
}

const kind = "Semaphore"

const facade: Shared.Facade<SharedSemaphore, typeof semaphore> = {
  kind,
  proxy: (remote) => {
    const withPermits: SharedSemaphore["withPermits"] = (permits) => (self) =>
      Effect.uninterruptibleMask((restore) =>
        // A reply to `acquire` always grants the permits.
        Effect.flatMap(
          acquire(remote, restore, "acquire", permits),
          (held) => holding(remote, restore, held!, self)
        )
      )
    return {
      [Shared.TypeId]: remote,
      withPermits,
      withPermit: withPermits(1),
      withPermitsIfAvailable: (permits) => (self) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(
            acquire(remote, restore, "tryAcquire", permits),
            (held) => held === undefined ? Effect.succeedNone : Effect.asSome(holding(remote, restore, held, self))
          )
        ),
      available: remote.call("available", [], ([available]) => Exit.succeed(available))
    }
  }
}

/**
 * Declares a named semaphore as a service:
 * `class Slots extends SharedSemaphore.Service<Slots>()("app/Slots", { permits: 3 }) {}`.
 */
export const Service = <Self>() => <const Id extends string>(id: Id, options: Options) =>
  Shared.service<Self>()(id, facade, { options: optionsOf(options) })

/** Opens a named semaphore, or makes an unnamed one, for the life of the scope. */
export const make = (
  { name, ...options }: Options & { readonly name?: string | undefined }
): Effect.Effect<SharedSemaphore, Shared.OpenError, Manager | Scope.Scope> =>
  Shared.open(facade, { options: optionsOf(options) }, name)

/** The schema of a semaphore's handle, for semaphores inside payloads, items and values. */
export const schema = Shared.handleSchema(facade)

/** Whether a value is a `SharedSemaphore`. */
export const isSharedSemaphore = (u: unknown): u is SharedSemaphore => Shared.isShared(kind)(u)

// internals

const optionsOf = ({ permits, ...options }: Options) => ({ permits, ...holdForOption(options) })

const whenTooMany: Refusals<"TooManyPermits", TooManyPermits> = {
  TooManyPermits: ([permits], semaphore) => new TooManyPermits({ semaphore, permits: Number(permits) })
}

const acquire = (
  remote: Remote<typeof semaphore>,
  restore: Restore,
  operation: "acquire" | "tryAcquire",
  permits: number
): Effect.Effect<Held<PermitsLost> | undefined, TooManyPermits | ManagerError> =>
  remote.callOwned(restore, operation, [permits], ([token]) =>
    // `tryAcquire` replies without a token when it acquired nothing.
    Exit.succeed(
      token === undefined
        ? undefined
        : new Held(remote, token, (_, why) => new PermitsLost({ semaphore: remote.target.description, permits, why }))
    ), whenTooMany)

const holding = <A, E, R>(
  remote: Remote<typeof semaphore>,
  restore: Restore,
  held: Held<PermitsLost>,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | PermitsLost, R> => under(restore, held, self, (token) => remote.tell("release", [token]))
