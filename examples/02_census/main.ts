/**
 * An identifier census of a source tree, by a pool of processes, verified against a single-process count.
 *
 *     npm run demo [-- [FOLDER] [--workers N] [--kill] [--sabotage] [--help]]
 */
import { Pool } from "@effect-multiprocessing/core"
import { NodeManager, NodeProgress } from "@effect-multiprocessing/node"
import { Console, Data, Effect, Equal, Fiber, FileSystem, Path, Schedule, Stream } from "effect"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { total } from "./count.ts"
import { top } from "./display.ts"
import { type Killed, killOne } from "./kill.ts"
import { Board, Count, type Counted, countFile, Files, layerShared, Results, Tasks, tasks } from "./shared.ts"

class BadUsage extends Data.TaggedError("BadUsage")<{ readonly message: string }> {}

/** The exit code when the program has run and its counts are wrong. */
const exitNotVerified = 2

const usage = "usage: npm run demo [-- [FOLDER] [--workers N] [--kill] [--sabotage] [--help]]"

const help = `${usage}

Counts the identifiers in the files of FOLDER (default: the sources of effect) with a pool of processes, and verifies
the result against a count by this process alone.

  --workers N  the number of processes, from 1 to 64 (default: one for each processor, at least 2)
  --kill       kills a worker in the middle of its work
  --sabotage   drops one result, to show that the verification can fail: the exit code is then ${exitNotVerified}
  --help       prints this text`

const options = Effect.try({
  try: () => {
    const { positionals: [folder, ...rest], values } = parseArgs({
      allowPositionals: true,
      options: {
        workers: { type: "string" },
        kill: { type: "boolean" },
        sabotage: { type: "boolean" },
        help: { type: "boolean" }
      }
    })
    if (values.help === true) return undefined
    const workers = Number(values.workers ?? Math.max(2, availableParallelism()))
    if (rest.length > 0 || !Number.isInteger(workers) || workers < 1 || workers > 64) throw new Error(usage)
    if (values.kill === true && workers < 2) throw new Error("--kill needs at least 2 workers")
    const effectSource = fileURLToPath(new URL("../src", import.meta.resolve("effect")))
    return { folder: folder ?? effectSource, workers, kill: values.kill ?? false, sabotage: values.sabotage ?? false }
  },
  catch: (error) => new BadUsage({ message: error instanceof Error ? error.message : usage })
})

/** Lists every file below a folder, in a fixed order. */
const filesBelow = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const names = yield* fs.readDirectory(folder, { recursive: true }).pipe(
    Effect.mapError(() => new BadUsage({ message: `cannot read the folder ${folder}` }))
  )
  const files = yield* Effect.filter(
    names.toSorted().map((name) => path.join(folder, name)),
    (file) => Effect.map(Effect.option(fs.stat(file)), (info) => info._tag === "None" || info.value.type === "File")
  )
  if (files.length === 0) return yield* new BadUsage({ message: `there are no files in ${folder}` })
  return files
})

/** Counts with a pool; returns every file's result, and the worker that was killed. */
const census = Effect.fnUntraced(function*(files: ReadonlyArray<string>, size: number, kill: boolean) {
  const queue = yield* Files
  const results = yield* Results
  const board = yield* Board
  const pool = yield* Pool.make(Tasks, { name: "worker", size })
  const progress = yield* NodeProgress.make({ total: files.length, unit: "files" })
  // Each worker takes files until `running` is false. When it dies, its file comes back to the queue, and its task
  // begins again in the process that replaces it.
  const retry = Schedule.recurs(1).pipe(Schedule.tap(({ input }) => progress.note(String(input))))
  const counting = yield* Effect.forEach(
    Array.from({ length: size }),
    () => Effect.forkChild(pool.execute(Count, undefined, { retry }))
  )
  yield* Effect.forkChild(Effect.forEach(files, queue.offer, { discard: true }))

  let killed: Killed | undefined
  yield* board.fields.finished.changes.pipe(
    Stream.mapEffect(() => results.size),
    Stream.tap(Effect.fnUntraced(function*(done) {
      yield* progress.set(done)
      if (!kill || killed !== undefined || done < files.length / 2) return
      killed = yield* killOne(yield* workersOf(pool, size))
      yield* progress.note(
        `killed ${killed.name} (pid ${killed.pid}) with SIGKILL while it held ${killed.deliveries} delivery`
      )
    })),
    Stream.takeUntil((done) => done === files.length),
    Stream.runDrain
  )
  yield* board.set({ running: false })
  yield* Effect.forEach(counting, Fiber.join)
  return { results: new Map(yield* results.entries), killed }
})

/** The first workers of a pool. */
const workersOf = (pool: Pool.Pool<typeof Tasks.tasks>, size: number) =>
  pool.events.pipe(
    Stream.filter((event) => event._tag === "WorkerStarted"),
    Stream.take(size),
    Stream.runCollect
  )

/** Counts again, in this process alone and without a manager, and compares file by file. */
const verify = Effect.fnUntraced(
  function*(files: ReadonlyArray<string>, results: ReadonlyMap<string, typeof Counted.Type>) {
    for (const file of files) {
      const expected = yield* countFile(file, 1)
      const result = results.get(file)
      if (result === undefined) return `${file} has no result`
      if (result.unreadable !== expected.unreadable) return `${file} was not read alike`
      if (!Equal.equals(result.counts, expected.counts)) return `${file} was counted otherwise`
    }
    return undefined
  }
)

const main = Effect.gen(function*() {
  const given = yield* options
  if (given === undefined) return yield* Console.log(help)
  const { folder, kill, sabotage, workers } = given
  const files = yield* filesBelow(folder)
  yield* Console.log(`counting identifiers in ${files.length} files of ${folder} with ${workers} workers`)
  const started = performance.now()
  const { killed, results } = yield* census(files, workers, kill).pipe(Effect.provide(layerShared), Effect.scoped)
  const seconds = (performance.now() - started) / 1_000

  for (const [file, { unreadable }] of results) {
    if (unreadable !== undefined) yield* Console.log(`could not be read: ${file}: ${unreadable}`)
  }
  const totals = total(Array.from(results.values(), ({ counts }) => counts))
  const words = Array.from(totals.values()).reduce((sum, count) => sum + count, 0)
  const unreadable = Array.from(results.values()).filter((result) => result.unreadable !== undefined).length
  yield* Console.log(`the most frequent identifiers:\n${top(totals, 10)}`)
  yield* Console.log(
    `${results.size} files (${unreadable} unreadable), ${words} identifiers, ${totals.size} different, ` +
      `${(files.length / seconds).toFixed(0)} files/s`
  )
  if (killed !== undefined) {
    const back = [...results].filter(([, { attempt }]) => attempt > 1)
    yield* Console.log(
      `${back.length} delivery came back and was counted again: ${back.map(([file]) => file).join(", ")}`
    )
  }
  if (sabotage) {
    yield* Console.log("sabotage: one result is dropped")
    results.delete(files[0]!)
  }
  const difference = yield* verify(files, results)
  if (difference === undefined) return yield* Console.log("verified: equals the single-process count")
  yield* Console.log(`NOT verified: ${difference}`)
  process.exitCode = exitNotVerified
}).pipe(
  Effect.catchTag(
    "BadUsage",
    ({ message }) => Effect.andThen(Console.error(message), Effect.sync(() => process.exitCode = 1))
  )
)

NodeManager.runMain(main, { tasks })
