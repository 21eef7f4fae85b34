/** Offering to a queue: one item, or many in batches that fit the limits. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { leasesOf } from "../client/Leases.ts"
import type { queue } from "../engine/kinds/queue.ts"
import { bytesMaxOf, type Cell } from "../engine/Value.ts"
import { ManagerError } from "../ManagerError.ts"
import { all } from "./exits.ts"
import type { Refusals, Remote } from "./Remote.ts"
import type { ValueCodec } from "./ValueCodec.ts"

/** A queue as a client knows it. */
export type QueueRemote = Remote<typeof queue>

/**
 * The queue is closed. An offer fails with it at once, and had no effect. A taker fails with it only when the queue is
 * empty and no delivery may still come back.
 */
export class QueueClosed extends Schema.TaggedError<QueueClosed>()("QueueClosed", { queue: Schema.String }) {
  override get message(): string {
    return `${this.queue} is closed`
  }
}

/** An `offerAll` failed after some of its items were added. The added items stay; the other items were not added. */
export class OfferedInPart extends Schema.TaggedError<OfferedInPart>()("OfferedInPart", {
  queue: Schema.String,
  /** How many items were added. If the connection was lost, the manager may have added more. */
  added: Schema.Number,
  /** How many items the call had. */
  values: Schema.Number,
  cause: ManagerError
}) {
  override get message(): string {
    return `${this.added} of ${this.values} items were added to ${this.queue}, then the call failed: ${this.cause.message}`
  }
}

/** The refusal of a closed queue. */
export const whenClosed: Refusals<"QueueClosed", QueueClosed> = {
  QueueClosed: (_, queue) => new QueueClosed({ queue })
}

/** Adds an item; waits for room. Call it where a fiber runs: the offer is made for the items that this one works on. */
export const offer = (remote: QueueRemote, cell: Cell) =>
  remote.call("offer", [cell, ...leasesOf(remote.connection, remote.target)], () => Exit.void, whenClosed)

/** Offers of one `offerAll` that wait at a time: a small part of `waitersPerObjectMax`, which all callers share. */
const waitingMax = 1_000

/** Bytes of items in one call, at most. */
const batchBytes = 768 * 1024

/** The cells from a position on that fit into one call; at least one. */
const batch = (cells: ReadonlyArray<Cell>, start: number, bytesMax: number): ReadonlyArray<Cell> => {
  let end = start
  for (let bytes = 0; end < cells.length; end++) {
    bytes += bytesMaxOf(cells[end]!)
    if (bytes > bytesMax && end > start) break
  }
  return cells.slice(start, end)
}

/** Adds items in order; waits for room. Returns those that were not added because the queue was closed. */
export const offerAll = <A>(
  remote: QueueRemote,
  codec: ValueCodec<A>,
  values: ReadonlyArray<A>
): Effect.Effect<Array<A>, OfferedInPart | ManagerError> => {
  const bytesMax = Math.min(batchBytes, remote.connection.argumentBytesMax)
  return Effect.flatMapEager(all(values.map((value) => remote.encode("offerAll", codec, value))), (cells) => {
    const failed = (added: number, cause: ManagerError) =>
      Effect.fail(
        added === 0
          ? cause
          : new OfferedInPart({ queue: remote.target.description, added, values: values.length, cause })
      )
    const from = (start: number): Effect.Effect<Array<A>, OfferedInPart | ManagerError> => {
      if (start === cells.length) return Effect.succeed([])
      const some = batch(cells, start, bytesMax)
      return Effect.matchEffect(remote.call("offerAll", some, ([accepted]) => Exit.succeed(accepted), whenClosed), {
        onFailure: (error) => error._tag === "QueueClosed" ? Effect.succeed(values.slice(start)) : failed(start, error),
        onSuccess: (accepted) => accepted === some.length ? from(start + accepted) : oneByOne(start + accepted)
      })
    }
    // Concurrently, so that the offers share a frame. They wait in the order of the items. A failed offer interrupts no
    // other one, so the result of each is known.
    const oneByOne = (start: number): Effect.Effect<Array<A>, OfferedInPart | ManagerError> =>
      Effect.flatMap(
        Effect.forEach(cells.slice(start, start + waitingMax), (cell) => Effect.exit(offer(remote, cell)), {
          concurrency: "unbounded"
        }),
        (exits) => {
          const added = exits.filter(Exit.isSuccess).length
          if (added === exits.length) return from(start + added)
          const failures = exits.flatMap((exit) => Exit.isFailure(exit) ? [Cause.squash(exit.cause)] : [])
          const cause = failures.find((failure) => failure instanceof ManagerError)
          if (cause !== undefined) return failed(start + added, cause)
          const rejected = values.slice(start, start + waitingMax).filter((_, i) => Exit.isFailure(exits[i]!))
          return Effect.succeed([...rejected, ...values.slice(start + waitingMax)])
        }
      )
    return from(0)
  })
}
