/**
 * The workload of a stress run: its workers contend for shared objects of several kinds until the budget is used up.
 */
import {
  Link,
  Manager,
  SharedLock,
  SharedMap,
  SharedNamespace,
  SharedQueue,
  SharedRef,
  Task,
  TaskGroup
} from "@effect-multiprocessing/core"
import { NodeCrypto, NodeSocket } from "@effect/platform-node"
import { Effect, Layer, Option, Random, Schema } from "effect"
import { record } from "./WireLog.ts"

/** The number of operations that are left. It is not certified, so a worker takes many at a time. */
export class Budget extends SharedRef.Service<Budget>()("stress/Budget", { schema: Schema.Int, initial: 0 }) {}

class Count extends SharedRef.Service<Count>()("stress/Count", { schema: Schema.Int, initial: 0 }) {}
class Guarded extends SharedRef.Service<Guarded>()("stress/Guarded", { schema: Schema.Int, initial: 0 }) {}
class Board extends SharedNamespace.Service<Board>()("stress/Board", {
  fields: { steps: Schema.Int, last: Schema.String },
  initial: { steps: 0, last: "" }
}) {}
class Cells extends SharedMap.Service<Cells>()("stress/Cells", { key: Schema.Int, value: Schema.Int }) {}
class Items extends SharedQueue.Service<Items>()("stress/Items", { item: Schema.Int, capacity: 512, attempts: 100 }) {}
class Gate extends SharedLock.Service<Gate>()("stress/Gate") {}

const layerShared = Layer.mergeAll(Count.layer, Guarded.layer, Board.layer, Cells.layer, Items.layer, Gate.layer)

/** All shared objects, to be removed at the end. */
export const shared = Effect.all([Budget, Count, Guarded, Board, Cells, Items, Gate])

/** The layers of all shared objects. */
export const layerAll = Layer.merge(Budget.layer, layerShared)

/** Works until the budget is used up, and records every call on a wire log. */
export const Strain = Task.make("Strain", { payload: { wireLog: Schema.String, seed: Schema.Int } })

/** The tasks of a stress run. */
export const Tasks = TaskGroup.make("stress", { tasks: [Strain] })

const fibers = 16
const ticket = 25

/**
 * Makes a few calls on one of the objects, chosen at random, and returns their number. Every fiber offers an item
 * before it takes one, so that no call waits for ever when workers are killed.
 */
const work = Effect.gen(function*() {
  const [count, guarded, board, cells, items, gate] = yield* Effect.all([Count, Guarded, Board, Cells, Items, Gate])
  const key = yield* Random.nextIntBetween(0, 49)
  const offer = items.offer(key)
  const choices: ReadonlyArray<readonly [calls: number, effect: Effect.Effect<unknown, unknown>]> = [
    [1, count.increment],
    [2, count.modify((n) => [undefined, n + 2])],
    [1, count.get],
    [1, cells.set(key, key)],
    [1, cells.get(key)],
    [1, cells.remove(key)],
    [2, cells.modify(key, (value) => [undefined, Option.map(value, (n) => n + 1)])],
    [1, board.fields.steps.add(2)],
    [1, board.set({ last: String(key) })],
    [1, board.get],
    [4, gate.withLock(Effect.flatMap(guarded.get, (n) => guarded.set(n + 1)))],
    [2, Effect.andThen(offer, items.take)],
    [3, Effect.andThen(offer, items.process(() => Effect.void))],
    [3, Effect.andThen(offer, Effect.scoped(Effect.flatMap(items.takeLease, (lease) => lease.ack)))],
    // Interrupted while it waits, or while the item is under way.
    [
      3,
      Effect.andThen(
        offer,
        Effect.flatMap(
          Effect.timeoutOption(items.take, 1),
          Option.match({
            onNone: () => items.take,
            onSome: Effect.succeed
          })
        )
      )
    ],
    [1, items.size]
  ]
  const [calls, effect] = choices[yield* Random.nextIntBetween(0, choices.length - 1)]!
  yield* effect
  return calls
})

/** The manager of this worker over a link of its own, which is recorded. */
const layerLogged = (wireLog: string) =>
  Layer.effect(
    Manager.Manager,
    Effect.gen(function*() {
      const { endpoint } = yield* Manager.Manager
      if (endpoint?.path === undefined) return yield* Effect.die("a stress run needs a manager process")
      const open = NodeSocket.makeNet({ path: endpoint.path }).pipe(
        Effect.flatMap(Link.fromSocket),
        Effect.flatMap((link) => record(link, wireLog))
      )
      const label = { name: wireLog, pid: process.pid }
      return yield* Manager.makeConnected(open, { address: endpoint.path, key: endpoint.key, label })
    })
  ).pipe(Layer.provide(Layer.provideMerge(NodeCrypto.layerMac, NodeCrypto.layerSecureRandom)))

/** The handlers of the tasks. */
export const tasks = Tasks.toLayer({
  Strain: Effect.fn(function*({ seed, wireLog }) {
    const budget = yield* Budget
    const strain = Effect.gen(function*() {
      while ((yield* budget.add(-ticket)) > -ticket) {
        for (let made = 0; made < ticket;) made += yield* work
      }
    })
    yield* Effect.all(Array.from({ length: fibers }, () => strain), { concurrency: "unbounded" }).pipe(
      Random.withSeed(seed),
      Effect.provide(layerShared.pipe(Layer.provide(layerLogged(wireLog)), Layer.fresh))
    )
  }, Effect.orDie)
}).pipe(Layer.provide(Budget.layer))
