/**
 * Deliveries of a queue: an item is out until its work has ended, and comes back unless the work has succeeded (S-17 to
 * S-19).
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { begin, under } from "../client/Leases.ts"
import { kept } from "../client/reason.ts"
import type { GrantId } from "../engine/Operation.ts"
import type { Cell } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import { Held } from "./hold.ts"
import { type QueueClosed, type QueueRemote, whenClosed } from "./offers.ts"
import type { Refusals, Restore } from "./Remote.ts"
import type { ValueCodec } from "./ValueCodec.ts"

/** The lease ended before the work was acknowledged. The item may be delivered again, or already was. */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", {
  queue: Schema.String,
  lease: Schema.Number
}) {
  override get message(): string {
    return `lease ${this.lease} of ${this.queue} is not held: it was settled, its time (holdFor) is over, or it belongs to another session. ` +
      "Unless this process settled it, the item may be delivered again"
  }
}

/** A delivery, besides its item. */
export interface Delivery {
  /** 1 for the first delivery, and one more for each delivery that failed or whose process died. */
  readonly attempt: number
}

/** A delivered item that must be settled by `ack` or `nack`. An unsettled item is given back when the scope ends. */
export interface Lease<out A> extends Delivery {
  readonly item: A
  /** Acknowledges the work: the item is removed for good. */
  readonly ack: Effect.Effect<void, LeaseLost | ManagerError>
  /**
   * Reports a failure: the item returns to the queue with one more attempt, or becomes a dead letter. The first 500
   * characters of the reason are kept.
   */
  readonly nack: (reason: string) => Effect.Effect<void, LeaseLost | ManagerError>
}

/** The refusal of a lease that is not held. */
export const whenNotHeld: Refusals<"NotHeld", LeaseLost> = {
  NotHeld: ([lease], queue) => new LeaseLost({ queue, lease: Number(lease) })
}

/** A delivery that must be settled. */
export interface Leased<A> extends Delivery {
  readonly id: GrantId
  readonly item: A
  readonly cell: Cell
  /** Whether the queue has a `holdFor`. */
  readonly isBounded: boolean
}

const lease = <A, E>(
  remote: QueueRemote,
  codec: ValueCodec<A>,
  restore: Restore,
  refusals: Refusals<"QueueClosed", E>
) =>
  remote.callOwned(
    restore,
    "takeLease",
    [],
    ([id, attempt, cell, isBounded]) =>
      Exit.map(
        remote.decode("takeLease", codec, cell),
        (item): Leased<A> => ({ id, attempt, item, cell, isBounded: isBounded === 1 })
      ),
    refusals,
    "reject"
  )

/** Gives an item back after its work has not succeeded. An interruption does not count as a failed attempt (S-19). */
const giveBack = (remote: QueueRemote, id: GrantId, cause: Cause.Cause<unknown>): void =>
  Cause.hasInterrupts(cause)
    ? remote.tell("giveBack", [id, 0, ""])
    : remote.tell("giveBack", [id, 1, kept(Cause.pretty(cause))])

/** Ends the work for a delivery: how the item is removed when the work has succeeded. */
export type Finish<A, B, E, R, E2, R2> = (
  work: Effect.Effect<B, E, R>,
  remote: QueueRemote,
  lease: Leased<A>
) => Effect.Effect<B, E2, R2>

/** Removes the item after the work. */
export const acknowledged = <A, B, E, R>(work: Effect.Effect<B, E, R>, remote: QueueRemote, { id }: Leased<A>) =>
  Effect.tap(work, () => remote.call("ack", [id], () => Exit.void, whenNotHeld))

/** Runs the work for the first item, which comes back unless the work has succeeded. */
export const process = <A, B, E, R, Closed, E2, R2>(
  remote: QueueRemote,
  codec: ValueCodec<A>,
  refusals: Refusals<"QueueClosed", Closed>,
  f: (value: A, delivery: Delivery) => Effect.Effect<B, E, R>,
  finish: Finish<A, B, E, Exclude<R, Scope.Scope>, E2, R2>
): Effect.Effect<B, E2 | Closed | LeaseLost | ManagerError, R2> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(lease(remote, codec, restore, refusals), (leased) => {
      const { attempt, cell, id, isBounded, item } = leased
      const work = finish(Effect.scoped(Effect.suspend(() => f(item, { attempt }))), remote, leased)
      const lost = (lease: GrantId) => new LeaseLost({ queue: remote.target.description, lease })
      const held = isBounded ? new Held(remote, id, lost) : undefined
      const offering = under(work, remote.connection, remote.target, id)
      return restore(held === undefined ? offering : Effect.raceFirst(offering, held.lost)).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            held?.end()
            // After an interrupted or refused `ack` there may be no lease any more: the manager then refuses this call.
            if (Exit.isFailure(exit)) giveBack(remote, id, exit.cause)
            // Handles in an item belong to the scope of its processing (S-24).
            remote.connection.received.giveBack([cell], "the scope of the processing of its item")
          })
        )
      )
    })
  )

/** Ends `processAll`. Not `QueueClosed`, with which `f` may fail because of another queue. */
class Drained {
  readonly _tag = "Drained"
}

const whenDrained: Refusals<"QueueClosed", Drained> = { QueueClosed: () => new Drained() }

/** Runs the work for one item after another, until the queue is closed and drained. */
export const processAll = <A, B, E, R, E2, R2>(
  remote: QueueRemote,
  codec: ValueCodec<A>,
  f: (value: A, delivery: Delivery) => Effect.Effect<B, E, R>,
  finish: Finish<A, B, E, Exclude<R, Scope.Scope>, E2, R2>
): Effect.Effect<void, E2 | LeaseLost | ManagerError, R2> =>
  Effect.forever(process(remote, codec, whenDrained, f, finish)).pipe(
    Effect.catch((error) => error instanceof Drained ? Effect.void : Effect.fail(error))
  )

/** Leases the first item until its scope ends. */
export const takeLease = <A>(
  remote: QueueRemote,
  codec: ValueCodec<A>
): Effect.Effect<Lease<A>, QueueClosed | ManagerError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const { attempt, cell, id, item } = yield* lease(remote, codec, restore, whenClosed)
      const leased = yield* begin(remote.connection, remote.target, id)
      const settle = <E>(effect: Effect.Effect<void, E>) =>
        Effect.tap(effect, () => {
          leased.isSettled = true
          return Effect.void
        })
      yield* Scope.addFinalizerExit(scope, (exit) =>
        Effect.sync(() => {
          if (!leased.isSettled) giveBack(remote, id, Exit.isFailure(exit) ? exit.cause : Cause.interrupt())
          leased.isSettled = true
          remote.connection.received.giveBack([cell], "the scope of the lease of its item")
        }))
      return {
        item,
        attempt,
        ack: settle(remote.call("ack", [id], () => Exit.void, whenNotHeld)),
        nack: (reason) => settle(remote.call("giveBack", [id, 1, kept(reason)], () => Exit.void, whenNotHeld))
      }
    })
  )
