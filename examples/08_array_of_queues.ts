/**
 * An array of queues, one for each of N processes: the program of a reader (David L) of SuperFastPython's tutorial on
 * sharing a data structure, which failed above 44 with "no attribute 'connection'" (SEED-33).
 *
 *     $ npm run example examples/08_array_of_queues.ts
 *     45 queues, 45 processes
 *     hold their own pair alone: 1 to 44
 *     are empty: 0
 *
 * The first argument is N. With a second argument the work is done by a pool with that number of workers:
 *
 *     $ npm run example examples/08_array_of_queues.ts 44 3
 *     44 queues, 3 processes
 *     hold their own pair alone: 1 to 43
 *     are empty: 0
 *     $ npm run example examples/08_array_of_queues.ts 100 3
 *     100 queues, 3 processes
 *     hold their own pair alone: 1 to 48
 *     are empty: 0, 49 to 99
 *
 * Improvements: a process has one connection, whatever the number of objects that it gets, and an unused queue takes
 * about a kilobyte. Therefore only the memory for N processes bounds N; here eight run at a time. Each sleeps for up to
 * a tenth of a second, where the reader's sleeps for up to a second.
 */
import { Pool, Process, SharedQueue, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Random, Schema } from "effect"

const Pair = Schema.Tuple([Schema.Int, Schema.Number])

const Put = Task.make("Put", { payload: { number: Schema.Int, queues: Schema.Array(SharedQueue.schema(Pair)) } })
const Tasks = TaskGroup.make("queues", { tasks: [Put] })

const tasks = Tasks.toLayer({
  Put: Effect.fn(function*({ number, queues }) {
    const value = yield* Random.next
    yield* Effect.sleep(value * 100)
    if (number > 0 && number < 49) yield* queues[number]!.offer([number, value])
  }, Effect.orDie)
})

const [size = 45, workers] = process.argv.slice(2).map(Number)

/** Takes all items of a queue. */
const drain = <A>(queue: SharedQueue.SharedQueue<A>) =>
  Effect.flatMap(queue.size, (size) => Effect.replicateEffect(queue.take, size))

/** Formats numbers as "0, 3 to 7". */
const ranges = (numbers: ReadonlyArray<number>) =>
  numbers
    .filter((n, i) => n - 1 !== numbers[i - 1])
    .map((first, i, firsts) => [first, numbers.filter((n) => n < (firsts[i + 1] ?? Infinity)).at(-1)!] as const)
    .map(([first, last]) => first === last ? first : `${first} to ${last}`)
    .join(", ")

const main = Effect.gen(function*() {
  const queues = yield* Effect.replicateEffect(SharedQueue.make({ item: Pair }), size)
  const payloads = queues.map((_, number) => ({ number, queues }))
  if (workers === undefined) {
    const processes = payloads.map((payload) => Process.run(Tasks, Put, payload))
    yield* Effect.all(processes, { concurrency: 8, discard: true })
  } else {
    const pool = yield* Pool.make(Tasks, { size: workers })
    yield* pool.map(Put, payloads)
  }

  const contents = yield* Effect.forEach(queues, drain)
  const numbers = [...queues.keys()]
  yield* Console.log(`${size} queues, ${workers ?? size} processes`)
  const own = numbers.filter((number) => contents[number]!.length === 1 && contents[number]![0]![0] === number)
  yield* Console.log(`hold their own pair alone: ${ranges(own)}`)
  yield* Console.log(`are empty: ${ranges(numbers.filter((number) => contents[number]!.length === 0))}`)
})

NodeManager.runMain(main, { tasks })
