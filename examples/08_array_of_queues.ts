/**
 * An array of queues, one for each of N processes: the program of a reader (David L) of SuperFastPython's tutorial on
 * sharing a data structure, which failed above 44 with "no attribute 'connection'" (SEED-33).
 *
 *     $ npm run example examples/08_array_of_queues.ts
 *     44 queues, 44 processes
 *     hold their own pair alone: 1 to 43
 *     are empty: 0
 *     $ npm run example examples/08_array_of_queues.ts 45
 *     45 queues, 45 processes
 *     hold their own pair alone: 1 to 44
 *     are empty: 0
 *     $ npm run example examples/08_array_of_queues.ts 50
 *     50 queues, 50 processes
 *     hold their own pair alone: 1 to 48
 *     are empty: 0, 49
 *     $ npm run example examples/08_array_of_queues.ts 100
 *     100 queues, 100 processes
 *     hold their own pair alone: 1 to 48
 *     are empty: 0, 49 to 99
 *     $ npm run example examples/08_array_of_queues.ts 300
 *     300 queues, 300 processes
 *     hold their own pair alone: 1 to 48
 *     are empty: 0, 49 to 299
 *
 * What is better: a process has one connection, however many objects it is handed, and a queue that nobody uses costs
 * about a kilobyte. So N is bounded by the memory for N processes; here eight run at a time.
 */
import { Process, SharedQueue, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Random, Schema } from "effect"

const Pair = Schema.Tuple([Schema.Int, Schema.Number])

const Put = Task.make("Put", { payload: { number: Schema.Int, queues: Schema.Array(SharedQueue.schema(Pair)) } })
const Tasks = TaskGroup.make("queues", { tasks: [Put] })

const tasks = Tasks.toLayer({
  Put: Effect.fn(function*({ number, queues }) {
    const value = yield* Random.next
    yield* Effect.sleep(value * 1_000)
    if (number > 0 && number < 49) yield* queues[number]!.offer([number, value])
  }, Effect.orDie)
})

const size = Number(process.argv[2] ?? 44)

/** Everything that is in a queue. */
const drain = <A>(queue: SharedQueue.SharedQueue<A>) =>
  Effect.flatMap(queue.size, (size) => Effect.replicateEffect(queue.take, size))

/** As "0, 3 to 7". */
const ranges = (numbers: ReadonlyArray<number>) =>
  numbers
    .filter((n, i) => n - 1 !== numbers[i - 1])
    .map((first, i, firsts) => [first, numbers.filter((n) => n < (firsts[i + 1] ?? Infinity)).at(-1)!] as const)
    .map(([first, last]) => first === last ? first : `${first} to ${last}`)
    .join(", ")

const main = Effect.gen(function*() {
  const queues = yield* Effect.replicateEffect(SharedQueue.make({ item: Pair }), size)
  const processes = queues.map((_, number) => Process.run(Tasks, Put, { number, queues }))
  yield* Effect.all(processes, { concurrency: 8, discard: true })

  const contents = yield* Effect.forEach(queues, drain)
  const numbers = [...queues.keys()]
  yield* Console.log(`${queues.length} queues, ${processes.length} processes`)
  const own = numbers.filter((number) => contents[number]!.length === 1 && contents[number]![0]![0] === number)
  yield* Console.log(`hold their own pair alone: ${ranges(own)}`)
  yield* Console.log(`are empty: ${ranges(numbers.filter((number) => contents[number]!.length === 0))}`)
}).pipe(Effect.scoped)

NodeManager.runMain(main, { tasks })
