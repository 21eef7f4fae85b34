/**
 * Pools in bad weather: workers are killed and frozen at random while they work, calls are interrupted at random
 * instants. Every call must end once, no task may run twice unless it is told that it is a further attempt, finalizers
 * run, neighbours are unharmed, and no process stays.
 *
 *     npm run chaos -- [--tasks N] [--interruptions N] [--workers N] [--seed N]
 */
import { Random } from "#core/testing/Random.ts"
import { Pool } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Exit, Fiber, FileSystem, Schedule, Stream } from "effect"
import { parseArgs } from "node:util"
import * as TaskLog from "./TaskLog.ts"
import { Tasks, tasks, Toil } from "./tasks.ts"

interface Options {
  readonly tasks: number
  readonly interruptions: number
  readonly workers: number
  readonly seed: number
}

const options = (): Options => {
  const option = { type: "string" } as const
  const { values } = parseArgs({ options: { tasks: option, interruptions: option, workers: option, seed: option } })
  const number = (text: string | undefined, otherwise: number) => {
    const value = Number(text ?? otherwise)
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new Error("usage: npm run chaos -- [--tasks N] [--interruptions N] [--workers N] [--seed N]")
    }
    return value
  }
  return {
    tasks: number(values.tasks, 5_000),
    interruptions: number(values.interruptions, 2_000),
    workers: number(values.workers, 3),
    seed: number(values.seed, 1)
  }
}

/** The workers that are ready, by their pid. */
const crewOf = Effect.fnUntraced(function*(pool: { readonly events: Stream.Stream<Pool.PoolEvent> }) {
  const ready = new Set<number>()
  const ended: Array<string> = []
  yield* pool.events.pipe(
    Stream.runForEach((event) =>
      Effect.sync(() => {
        if (event._tag === "WorkerStarted") ready.add(event.pid)
        if (event._tag === "WorkerExited" || event._tag === "WorkerKilled") {
          ready.delete(event.pid)
          ended.push(`${event._tag} ${event.pid}`)
        }
      })
    ),
    Effect.forkScoped
  )
  return { ready, ended }
})

/** Kills and freezes, one worker after the other, as long as it runs; some of the frozen thaw. */
const storm = Effect.fnUntraced(
  function*(ready: ReadonlySet<number>, dice: Random, counts: { killed: number; frozen: number }) {
    while (true) {
      yield* Effect.sleep(20 + dice.below(200))
      // Weather, not the end of the world: somebody has to get work done.
      if (ready.size < 2) continue
      const pid = dice.pick([...ready])
      const signal = (name: NodeJS.Signals) => Effect.ignore(Effect.try(() => process.kill(pid, name)))
      if (dice.chance(0.6)) {
        counts.killed++
        yield* signal("SIGKILL")
      } else {
        counts.frozen++
        yield* signal("SIGSTOP")
        if (dice.chance(0.5)) yield* Effect.forkChild(Effect.andThen(Effect.sleep(dice.below(300)), signal("SIGCONT")))
      }
    }
  }
)

/** Calls while workers die; answers what is wrong. */
const inTheStorm = Effect.fnUntraced(function*({ seed, tasks, workers }: Options, log: string) {
  const dice = new Random(seed)
  const counts = { killed: 0, frozen: 0 }
  const ends = Array.from({ length: tasks }, (): Array<string> => [])
  const wrong: Array<string> = []
  yield* Effect.scoped(Effect.gen(function*() {
    const pool = yield* Pool.make(Tasks, { size: workers, grace: "300 millis" })
    const { ready } = yield* crewOf(pool)
    yield* Effect.forkScoped(storm(ready, dice.fork(), counts))
    const call = (id: number) => {
      const ms = dice.chance(0.1) ? dice.below(100) : dice.below(8)
      const busy = dice.chance(0.5)
      const retry = dice.chance(0.5) ? Schedule.recurs(5) : undefined
      return pool.execute(Toil, { id, ms, busy, log }, { retry }).pipe(
        Effect.timeout("3 seconds"),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            const error = Exit.isFailure(exit) ? Exit.findErrorOption(exit) : undefined
            ends[id]!.push(error === undefined ? "result" : error._tag === "Some" ? error.value._tag : String(exit))
            if (Exit.isSuccess(exit) && exit.value !== id) wrong.push(`task ${id} was answered ${exit.value}`)
          })
        ),
        Effect.exit
      )
    }
    yield* Effect.forEach(ends, (_, id) => call(id), { concurrency: workers * 8, discard: true })
  }))
  const known = ["result", "WorkerCrashed", "TimeoutError"]
  for (const [id, [end, ...more]] of ends.entries()) {
    if (end === undefined || more.length > 0 || !known.includes(end)) {
      wrong.push(`task ${id} ended as ${[end, ...more].join(", ")}`)
    }
  }
  const { began } = TaskLog.read(log)
  wrong.push(...TaskLog.repeated({ began, ended: began }))
  for (const [id, [end]] of ends.entries()) {
    if (end === "result" && !began.has(id)) wrong.push(`task ${id} has a result and never began`)
  }
  const count = (what: string) => ends.filter(([end]) => end === what).length
  const again = [...began.values()].filter((attempts) => attempts.length > 1).length
  yield* Console.log(
    `${tasks} tasks, ${counts.killed} workers killed, ${counts.frozen} frozen: ` +
      `${known.map((what) => `${count(what)} ${what}`).join(", ")}, ${again} run again`
  )
  return wrong
})

/** Calls that are interrupted, among others that are not; answers what is wrong. */
const interrupted = Effect.fnUntraced(function*({ interruptions, seed, workers }: Options, log: string) {
  const dice = new Random(seed + 1)
  const wrong: Array<string> = []
  const neighbours = { asked: 0, answered: 0 }
  yield* Effect.scoped(Effect.gen(function*() {
    const pool = yield* Pool.make(Tasks, { size: workers, grace: "30 seconds" })
    const { ended } = yield* crewOf(pool)
    const one = (id: number) =>
      Effect.gen(function*() {
        const ms = dice.below(20)
        const call = yield* Effect.forkChild(pool.execute(Toil, { id, ms, busy: dice.chance(0.2), log }))
        if (dice.chance(0.2)) {
          neighbours.asked++
          if ((yield* Fiber.join(call)) === id) neighbours.answered++
          return
        }
        const after = dice.below(40)
        if (after > 0) yield* Effect.sleep(after)
        yield* Fiber.interrupt(call)
      })
    const ids = Array.from({ length: interruptions }, (_, id) => id)
    yield* Effect.forEach(ids, one, { concurrency: workers * 4, discard: true })
    // No interruption has gone before its task's finalizers: there is nothing to wait for.
    const { began, ended: finalized } = TaskLog.read(log)
    for (const id of began.keys()) if (!finalized.has(id)) wrong.push(`task ${id} began and was not finalized`)
    wrong.push(...TaskLog.repeated({ began, ended: finalized }))
    wrong.push(...ended.map((end) => `no worker had to end: ${end}`))
    yield* Console.log(
      `${interruptions - neighbours.asked} calls interrupted, ${began.size} tasks began and ${finalized.size} were ` +
        `finalized; ${neighbours.answered} of ${neighbours.asked} neighbours were answered`
    )
  }))
  if (neighbours.answered < neighbours.asked) wrong.push("a neighbour was harmed")
  return wrong
})

const main = Effect.gen(function*() {
  const chosen = options()
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "emp-chaos-" })
  yield* Console.log(`seed ${chosen.seed}`)
  const wrong = [
    ...yield* inTheStorm(chosen, `${folder}/storm`),
    ...yield* interrupted(chosen, `${folder}/interrupted`)
  ]
  for (const issue of wrong) yield* Console.error(issue)
  yield* Console.log(wrong.length === 0 ? "all is well" : `${wrong.length} things are wrong`)
  if (wrong.length > 0) process.exitCode = 2
}).pipe(Effect.scoped)

NodeManager.runMain(main, { tasks })
