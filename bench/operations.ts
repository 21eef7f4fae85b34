/** The measured operations on shared objects. `peers/` has their equivalents. */
import {
  type Manager,
  SharedBarrier,
  SharedList,
  SharedLock,
  SharedMap,
  SharedObject,
  SharedQueue,
  SharedRef,
  Transaction
} from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Counter } from "./counter.ts"
import { Echo } from "./echo.ts"
import { RoundOver } from "./loops.ts"
import { keyAt, keys, value } from "./workload.ts"

/** A call. Repeated calls differ only in their position. */
type Call = (position: number) => Effect.Effect<unknown, unknown, Manager.Manager>

/** Opens the object of a round by a name that all clients share, and returns the call that they make on it. */
type Operation = (name: string, clients: number) => Effect.Effect<Call, unknown, Manager.Manager | Scope.Scope>

/** The items of one operation that measures the gain of batches. */
const batch = Array.from({ length: 100 }, () => value)

const number = (name: string) => SharedRef.make({ name, schema: Schema.Int, initial: 1 })

const texts = { key: Schema.String, value: Schema.String }

const filledMap = (name: string) =>
  Effect.tap(
    SharedMap.make({ name, ...texts }),
    (map) => Effect.forEach(keys, (key) => map.set(key, value), { concurrency: "unbounded", discard: true })
  )

const accounts = (name: string) => SharedMap.make({ name, key: Schema.String, value: Schema.Int })

/** Moves 1 from one account to another. Both are read at once, as by the peer. */
const transfer = (map: SharedMap.SharedNumberMap<string>, from: string, to: string) =>
  Transaction.tx(
    Effect.flatMap(
      map.tx.getAll([from, to]),
      ([has = Option.none(), had = Option.none()]) =>
        Effect.andThen(
          map.tx.set(from, Option.getOrElse(has, () => 0) - 1),
          map.tx.set(to, Option.getOrElse(had, () => 0) + 1)
        )
    )
  )

const queue = (name: string) => SharedQueue.make({ name, item: Schema.String })

/** The operations by name. */
export const operations: Readonly<Record<string, Operation>> = {
  "ref.get": (name) => Effect.map(number(name), (ref) => () => ref.get),
  "ref.set": (name) => Effect.map(number(name), (ref) => (position) => ref.set(position)),
  "ref.increment": (name) => Effect.map(number(name), (ref) => () => ref.increment),
  "ref.add": (name) => Effect.map(number(name), (ref) => () => ref.add(1)),
  "kind.change": (name) => Effect.map(SharedObject.make(Counter, { name }), (counter) => () => counter.add(1)),
  /** The host has the actor under its one name. */
  "actor.call": () => Effect.map(Effect.provide(Echo, Echo.layer), ({ echo }) => echo),
  "map.get": (name) => Effect.map(filledMap(name), (map) => (position) => map.get(keyAt(position))),
  "map.set": (name) => Effect.map(filledMap(name), (map) => (position) => map.set(keyAt(position), value)),
  "queue.put+take": (name) => Effect.map(queue(name), ({ offer, take }) => () => Effect.andThen(offer(value), take)),
  "list.append": (name) =>
    Effect.map(SharedList.make({ name, item: Schema.String }), (list) => () => list.append(value)),
  "lock.lock+unlock": (name) => Effect.map(SharedLock.make({ name }), (lock) => () => lock.withLock(Effect.void)),
  "barrier.round": (name, parties) =>
    Effect.gen(function*() {
      const barrier = yield* SharedBarrier.make({ name, parties })
      // The client that first sees that the time is over releases the clients that wait for it.
      yield* Effect.addFinalizer(() => Effect.ignore(barrier.abort))
      return () => Effect.catchTag(barrier.await, "BarrierBroken", () => Effect.fail(new RoundOver()))
    }),
  /** All clients use the same keys in the same order: some transactions meet a conflict. */
  "tx.transfer": (name) =>
    Effect.map(accounts(name), (map) => (position) => transfer(map, keyAt(position), keyAt(position + 1))),
  /** Also drops the object. */
  "object.create": () => Effect.succeed(() => Effect.scoped(SharedMap.make(texts))),
  "queue.put+take-100": (name) =>
    Effect.map(
      queue(name),
      ({ offerAll, take }) => () =>
        Effect.andThen(offerAll(batch), Effect.forEach(batch, () => take, { concurrency: "unbounded", discard: true }))
    ),
  "queue.put+take-100-single": (name) =>
    Effect.map(
      queue(name),
      ({ offer, take }) => () => Effect.forEach(batch, (item) => Effect.andThen(offer(item), take), { discard: true })
    )
}
