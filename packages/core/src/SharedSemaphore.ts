/**
 * Permits between processes: Effect's `Semaphore`, first come first served and fenced (S-13, S-21).
 *
 * At most so many permits are held at a time, over all processes. Inside `withPermits` every call to this manager
 * carries the hold: who has lost its permits cannot write as if it had them.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { semaphore } from "./engine/kinds/semaphore.ts"
import type { ManagerError } from "./ManagerError.ts"
import { Held, under } from "./proxy/hold.ts"
import type { Manager } from "./proxy/Manager.ts"
import type { Refusals, Remote, Restore } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"

/** More permits than the semaphore has: it would wait for ever. Nothing was acquired. */
export class TooManyPermits extends Schema.TaggedError<TooManyPermits>()("TooManyPermits", {
  semaphore: Schema.String,
  permits: Schema.Number
}) {
  override get message(): string {
    return `${this.semaphore} has ${this.permits} permits, and never more`
  }
}

/** The permits were lost while the body ran: the semaphore was deleted, or the connection ended. */
export class PermitsLost extends Schema.TaggedError<PermitsLost>()("PermitsLost", {
  semaphore: Schema.String,
  permits: Schema.Number
}) {
  override get message(): string {
    return `${this.permits} permits of ${this.semaphore} were lost while they were held: the body was interrupted, and ` +
      "every later write of it to this manager is refused. What it wrote before the loss stands"
  }
}

/** Permits between processes. */
export interface SharedSemaphore extends Shared.Shared {
  /**
   * Runs an effect while holding that many permits; gives them back however the effect ends. Not re-entrant and not
   * aware of it: who takes permits while holding some may wait for itself, as with Effect's.
   *
   * **Fairness** First come first served: a small request does not overtake a large one.
   *
   * **Cancellation** Interruptible while it waits: it leaves its place, and a grant under way is given back. While the
   * body runs, its interruption gives the permits back after its finalizers.
   *
   * **On disconnect** While waiting: `ManagerError`. While holding: the body is interrupted and `PermitsLost` fails the
   * effect; the manager has the permits back.
   */
  readonly withPermits: (
    permits: number
  ) => <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | TooManyPermits | PermitsLost | ManagerError, R>
  /** As `withPermits(1)`. */
  readonly withPermit: <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | TooManyPermits | PermitsLost | ManagerError, R>
  /** As `withPermits` if they are there and nobody waits for some; else answers `None` at once. */
  readonly withPermitsIfAvailable: (
    permits: number
  ) => <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<Option.Option<A>, E | TooManyPermits | PermitsLost | ManagerError, R>
  /** Permits that nobody holds. So many a moment ago is no promise. */
  readonly available: Effect.Effect<number, ManagerError>
}

/** What a semaphore is made with. */
export interface Options {
  /** A whole number from 1 up. */
  readonly permits: number
}

const kind = "Semaphore"

const facade: Shared.Facade<SharedSemaphore, typeof semaphore> = {
  kind,
  proxy: (remote) => {
    const withPermits: SharedSemaphore["withPermits"] = (permits) => (self) =>
      Effect.uninterruptibleMask((restore) =>
        // Who waits for permits is never answered without them.
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

/** Names a semaphore as a service: `class Slots extends SharedSemaphore.Service<Slots>()("app/Slots", { permits: 3 }) {}`. */
export const Service = <Self>() => <const Id extends string>(id: Id, { permits }: Options) =>
  Shared.service<Self>()(id, facade, { options: { permits } })

/** Opens a semaphore by name, or makes one without a name, for the life of the scope. */
export const make = (
  { name, permits }: Options & { readonly name?: string | undefined }
): Effect.Effect<SharedSemaphore, Shared.OpenError, Manager | Scope.Scope> =>
  Shared.open(facade, { options: { permits } }, name)

/** A semaphore's handle as a value. */
export const schema = Shared.handleSchema(facade)

/** Whether something is a semaphore. */
export const isSharedSemaphore = (u: unknown): u is SharedSemaphore => Shared.isShared(kind)(u)

// internals

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
    // `tryAcquire` replies with nothing when it got nothing.
    Exit.succeed(
      token === undefined
        ? undefined
        : new Held(remote, token, () => new PermitsLost({ semaphore: remote.target.description, permits }))
    ), whenTooMany)

const holding = <A, E, R>(
  remote: Remote<typeof semaphore>,
  restore: Restore,
  held: Held<PermitsLost>,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | PermitsLost, R> => under(restore, held, self, (token) => remote.tell("release", [token]))
