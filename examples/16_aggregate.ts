/**
 * Four processes count primes, each in its own range, and store their counts in one shared map. The sum equals the
 * count of a single process. The overview article on `Manager` names this use (SEED-52, 53).
 *
 *     $ npm run example examples/16_aggregate.ts
 *     counts: [ [ 0, 669 ], [ 5000, 560 ], [ 10000, 525 ], [ 15000, 508 ] ]
 *     together 2262, by one process 2262
 */
import { Process, SharedMap, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Schema } from "effect"

class Counts extends SharedMap.Service<Counts>()("primes/Counts", { key: Schema.Int, value: Schema.Int }) {}

const isPrime = (n: number): boolean => {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false
  return n > 1
}

const primes = (from: number, to: number): number => {
  let count = 0
  for (let n = from; n < to; n++) if (isPrime(n)) count++
  return count
}

const Count = Task.make("Count", { payload: { from: Schema.Int, to: Schema.Int } })
const Tasks = TaskGroup.make("primes", { tasks: [Count] })

const tasks = Tasks.toLayer({
  Count: Effect.fn(function*({ from, to }) {
    const counts = yield* Counts
    yield* counts.set(from, primes(from, to))
  })
}).pipe(Layer.provide(Counts.layer))

const main = Effect.gen(function*() {
  const counts = yield* Counts
  const ranges = [0, 5_000, 10_000, 15_000].map((from) => ({ from, to: from + 5_000 }))
  yield* Effect.forEach(ranges, (range) => Process.run(Tasks, Count, range), { concurrency: "unbounded" })

  const entries = (yield* counts.entries).toSorted(([a], [b]) => a - b)
  yield* Console.log("counts:", entries)
  const together = entries.reduce((sum, [, count]) => sum + count, 0)
  yield* Console.log(`together ${together}, by one process ${primes(0, 20_000)}`)
}).pipe(Effect.provide(Counts.layer))

NodeManager.runMain(main, { tasks })
