/**
 * Pools whose workers are killed and frozen at random, and whose calls are interrupted at random instants. Every call
 * must end once, and no attempt of a task may run twice. Finalizers run, other calls are unharmed, and no process is
 * left.
 */
import { Random } from "#core/testing/Random.ts"
import { Pool } from "@effect-multiprocessing/core"
import { Console, Effect, Exit, Fiber, Schedule, Stream } from "effect"
import * as TaskLog from "./TaskLog.ts"
import { Tasks, Toil } from "./tasks.ts"

/** How much is done to pools. */
export interface PoolOptions {
  readonly tasks: number
  readonly interruptions: number
  readonly workers: number
  readonly seed: number
}

/** The workers that are ready, by their pid, and those that ended. */
const workersOf = Effect.fnUntraced(function*(pool: { readonly events: Stream.Stream<Pool.PoolEvent> }) {
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

/** Kills or freezes one worker after the other, until it is interrupted. Some of the frozen ones thaw. */
const injectFaults = Effect.fnUntraced(
  function*(ready: ReadonlySet<number>, random: Random, counts: { killed: number; frozen: number }) {
    while (true) {
      yield* Effect.sleep(20 + random.below(200))
      // One worker is spared, so that tasks make progress.
      if (ready.size < 2) continue
      const pid = random.pick([...ready])
      const signal = (name: NodeJS.Signals) => Effect.ignore(Effect.try(() => process.kill(pid, name)))
      if (random.chance(0.6)) {
        counts.killed++
        yield* signal("SIGKILL")
      } else {
        counts.frozen++
        yield* signal("SIGSTOP")
        if (random.chance(0.5)) {
          yield* Effect.forkChild(Effect.andThen(Effect.sleep(random.below(300)), signal("SIGCONT")))
        }
      }
    }
  }
)

/** Calls tasks while workers are killed and frozen. Returns the violations. */
const underFaults = Effect.fnUntraced(function*({ seed, tasks, workers }: PoolOptions, log: string) {
  const random = new Random(seed)
  const counts = { killed: 0, frozen: 0 }
  const ends = Array.from({ length: tasks }, (): Array<string> => [])
  const wrong: Array<string> = []
  yield* Effect.scoped(Effect.gen(function*() {
    const pool = yield* Pool.make(Tasks, { size: workers, grace: "300 millis" })
    const { ready } = yield* workersOf(pool)
    yield* Effect.forkScoped(injectFaults(ready, random.fork(), counts))
    const call = (id: number) => {
      const ms = random.chance(0.1) ? random.below(100) : random.below(8)
      const busy = random.chance(0.5)
      const retry = random.chance(0.5) ? Schedule.recurs(5) : undefined
      return pool.execute(Toil, { id, ms, busy, log }, { retry }).pipe(
        Effect.timeout("3 seconds"),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            const error = Exit.isFailure(exit) ? Exit.findErrorOption(exit) : undefined
            ends[id]!.push(error === undefined ? "result" : error._tag === "Some" ? error.value._tag : String(exit))
            if (Exit.isSuccess(exit) && exit.value !== id) wrong.push(`task ${id} has the result of task ${exit.value}`)
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

/** Interrupts some calls among others. Returns the violations. */
const underInterruptions = Effect.fnUntraced(function*({ interruptions, seed, workers }: PoolOptions, log: string) {
  const random = new Random(seed + 1)
  const wrong: Array<string> = []
  const neighbours = { called: 0, returned: 0 }
  yield* Effect.scoped(Effect.gen(function*() {
    const pool = yield* Pool.make(Tasks, { size: workers, grace: "30 seconds" })
    const { ended } = yield* workersOf(pool)
    const one = (id: number) =>
      Effect.gen(function*() {
        const ms = random.below(20)
        const call = yield* Effect.forkChild(pool.execute(Toil, { id, ms, busy: random.chance(0.2), log }))
        if (random.chance(0.2)) {
          neighbours.called++
          if ((yield* Fiber.join(call)) === id) neighbours.returned++
          return
        }
        const after = random.below(40)
        if (after > 0) yield* Effect.sleep(after)
        yield* Fiber.interrupt(call)
      })
    const ids = Array.from({ length: interruptions }, (_, id) => id)
    yield* Effect.forEach(ids, one, { concurrency: workers * 4, discard: true })
    // Each interruption ended after the finalizers of its task, so there is nothing to wait for.
    const { began, ended: finalized } = TaskLog.read(log)
    for (const id of began.keys()) if (!finalized.has(id)) wrong.push(`task ${id} began and was not finalized`)
    wrong.push(...TaskLog.repeated({ began, ended: finalized }))
    wrong.push(...ended.map((end) => `no worker had to end: ${end}`))
    yield* Console.log(
      `${interruptions - neighbours.called} calls interrupted, ${began.size} tasks began and ${finalized.size} were ` +
        `finalized; ${neighbours.returned} of ${neighbours.called} neighbours returned`
    )
  }))
  if (neighbours.returned < neighbours.called) wrong.push("a neighbour was harmed")
  return wrong
})

/** Does all of this to pools, and returns what is wrong. */
export const chaosOfPools = Effect.fnUntraced(function*(options: PoolOptions, folder: string) {
  return [
    ...yield* underFaults(options, `${folder}/faults`),
    ...yield* underInterruptions(options, `${folder}/interruptions`)
  ]
})
