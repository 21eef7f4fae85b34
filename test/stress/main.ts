/**
 * A stress run on real processes. Workers use several kinds at once, and some are killed. Afterwards the manager's
 * journal and the clients' wire logs are certified (S-31).
 *
 *     npm run stress -- [--workers N] [--operations N] [--kills N] [--seed N]
 */
import { certify } from "#core/testing/certify.ts"
import { fromJournalLine, type JournalEntry } from "#core/testing/History.ts"
import { Manager, Process } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Data, Effect, FileSystem, Layer, Random, Stream } from "effect"
import { parseArgs } from "node:util"
import { play } from "./WireLog.ts"
import { Budget, layerAll, shared, Strain, Tasks, tasks } from "./workload.ts"

class BadUsage extends Data.TaggedError("BadUsage")<{ readonly message: string }> {}

const usage = "usage: npm run stress -- [--workers N] [--operations N] [--kills N] [--seed N]"

const option = { type: "string" } as const

const options = Effect.try({
  try: () => {
    const { values } = parseArgs({ options: { workers: option, operations: option, kills: option, seed: option } })
    const number = (text: string | undefined, otherwise: number, least: number) => {
      const value = Number(text ?? otherwise)
      if (!Number.isSafeInteger(value) || value < least) throw new Error(usage)
      return value
    }
    return {
      workers: number(values.workers, 8, 1),
      operations: number(values.operations, 200_000, 1),
      kills: number(values.kills, 3, 0),
      seed: number(values.seed, 1, 0)
    }
  },
  catch: (error) => new BadUsage({ message: error instanceof Error ? error.message : usage })
})

/** Runs the workers. Returns the wire logs of all workers, also of the killed ones. */
const strain = Effect.fnUntraced(
  function*(folder: string, { kills, operations, seed, workers }: Effect.Success<typeof options>) {
    const budget = yield* Budget
    yield* budget.set(operations)
    const wireLogs: Array<string> = []
    const start = Effect.suspend(() => {
      const name = `worker-${wireLogs.length + 1}`
      const wireLog = `${folder}/${name}`
      wireLogs.push(wireLog)
      return Process.spawn(Tasks, Strain, { wireLog, seed: seed * 1_000 + wireLogs.length }, { name })
    })
    const running = yield* Effect.all(Array.from({ length: workers }, () => start), { concurrency: 2 })

    // After each equal part of the work a worker is killed, and another one replaces it.
    const killer = Effect.fnUntraced(function*(number: number) {
      yield* budget.until((left) => left < operations * (1 - number / (kills + 1)))
      const victim = yield* Random.nextIntBetween(0, workers - 1)
      const { kill, name, pid } = running[victim]!
      const next = yield* start
      running[victim] = next
      yield* kill()
      yield* Console.log(`killed ${name} (pid ${pid})`)
    })
    const killed = Effect.forEach(Array.from({ length: kills }, (_, i) => i + 1), killer).pipe(Random.withSeed(seed))
    // A worker that ends on its own before the work is done has failed the run.
    const failed = Effect.forEach(
      running,
      (worker) =>
        Effect.catchTag(
          worker.result,
          "ProcessExited",
          (exited) => running.includes(worker) ? Effect.fail(exited) : Effect.never
        ),
      { concurrency: "unbounded" }
    )
    yield* Effect.raceFirst(killed, Effect.andThen(failed, Effect.never))
    yield* Effect.forEach(running, (worker) => Effect.andThen(worker.result, worker.end), { concurrency: "unbounded" })
    return wireLogs
  }
)

/**
 * Removes the shared objects, and returns the counts of everything that is left in the manager besides this session.
 */
const leftOver = Effect.gen(function*() {
  const manager = yield* Manager.Manager
  for (const object of yield* shared) yield* manager.remove(object)
  const { counts } = yield* manager.inspect
  return { ...counts, sessions: counts.sessions - 1 }
})

const readJournal = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const journal: Array<JournalEntry> = []
  yield* fs.stream(path).pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.filter((line) => line !== ""),
    Stream.runForEach((line) => Effect.sync(() => journal.push(fromJournalLine(line))))
  )
  return journal
})

const main = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const chosen = yield* options
  const { kills, operations, seed, workers } = chosen
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "emp-stress-" })
  const journalPath = `${folder}/journal`
  yield* Console.log(`${workers} workers, ${operations} operations, ${kills} kills, seed ${seed}`)
  const started = performance.now()
  const { left, wireLogs } = yield* Effect.gen(function*() {
    const wireLogs = yield* strain(folder, chosen)
    return { wireLogs, left: yield* leftOver }
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.provideMerge(layerAll, NodeManager.layerWith({ journal: journalPath })))
  )
  const seconds = (performance.now() - started) / 1_000

  const journal = yield* readJournal(journalPath)
  const recorders = wireLogs.map((wireLog, i) => play(wireLog, `worker-${i + 1}`))
  const records = recorders.flatMap((recorder) => recorder.records)
  yield* Console.log(
    `${records.length} calls recorded, ${journal.length} indexes taken, ${
      (records.length / seconds).toFixed(0)
    } calls/s`
  )
  const violations = certify({ journal, records, watches: recorders.flatMap((recorder) => recorder.watches) })
  yield* Effect.forEach(violations.slice(0, 20), (line) => Console.log(`violated: ${line}`))
  yield* Console.log(`left: ${JSON.stringify(left)}`)
  const clean = Object.values(left).every((count) => count === 0)
  const certified = violations.length === 0
  yield* Console.log(
    `${certified ? "certified" : "NOT certified"}: ${violations.length} violations; ${
      clean ? "nothing" : "something"
    } is left`
  )
  if (!certified || !clean) process.exitCode = 1
}).pipe(
  Effect.scoped,
  Effect.catchTag(
    "BadUsage",
    ({ message }) => Effect.andThen(Console.error(message), Effect.sync(() => process.exitCode = 1))
  )
)

NodeManager.runMain(main, { tasks, manager: Manager.layerMemory })
