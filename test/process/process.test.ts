/** Tasks in real processes: results, exits, ends. */
import { Manager, Process, SharedList, SharedQueue } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Console, Effect, Fiber, Layer, Schema } from "effect"
import * as Tasks from "./fixtures/tasks.ts"
import { allGone, descendants, fixture, isAlive, waitUntil } from "./harness.ts"

const platform = Layer.provideMerge(NodeManager.layerSpawner(fixture("worker")), NodeServices.layer)

const layer = Layer.mergeAll(Tasks.Log.layer, Tasks.Gate.layer, Tasks.Count.layer, Tasks.Round.layer).pipe(
  Layer.provideMerge(Layer.merge(NodeManager.layer, platform))
)

describe("a process", () => {
  it.live("returns its task's result, typed", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Process.run(Tasks.Tasks, Tasks.Square, { n: 7 }), 49)
      const refused = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Square, { n: 13 }))
      assert.deepStrictEqual(refused, new Tasks.Refused({ why: "unlucky" }))
      const exit = yield* Effect.exit(Process.run(Tasks.Tasks, Tasks.Square, { n: 0 }))
      assert.include(String(exit), "zero")
    }).pipe(Effect.provide(layer)))

  it.live("that exits without a result is reported with its exit code and last lines", () =>
    Effect.gen(function*() {
      const exited = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Leave, { code: 7 }, { name: "leaver" }))
      assert.strictEqual(exited._tag, "ProcessExited")
      assert.include(exited.message, "leaver")
      assert.include(exited.message, "with code 7")
      assert.include(exited.message, "last words")
    }).pipe(Effect.provide(layer)))

  it.live("that is killed is reported with the signal, and its own children are killed, too (R-1)", () =>
    Effect.gen(function*() {
      const log = yield* Tasks.Log
      const family = yield* Process.spawn(Tasks.Tasks, Tasks.Family, {})
      yield* log.take
      const [grandchild] = descendants(family.pid)
      assert.include(grandchild!.command, "sleep")
      yield* family.kill()
      const exited = yield* Effect.flip(family.result)
      assert.include(exited.message, "by SIGKILL")
      yield* allGone([grandchild!])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("that is killed as a party of a barrier breaks it for the waiting parties, which get its name (S-15)", () =>
    Effect.gen(function*() {
      const [log, round] = [yield* Tasks.Log, yield* Tasks.Round]
      for (const waits of [true, false]) {
        const party = yield* Process.spawn(Tasks.Tasks, Tasks.Party, { waits }, { name: `party ${waits}` })
        yield* log.take
        const waiting = yield* Effect.forkChild(Effect.flip(round.await))
        yield* Effect.repeat(round.status, { until: (status) => status.waiting === (waits ? 2 : 1) })
        yield* party.kill()
        const broken = yield* Fiber.join(waiting)
        assert.include(broken.message, `was broken by party ${waits} (pid ${party.pid}): its connection ended`)
        yield* round.reset
      }
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("that exceeds its memory is reported with last lines that say so", () =>
    Effect.gen(function*() {
      const options = { execArgv: ["--max-old-space-size=32"] }
      const exited = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Hoard, {}, options))
      assert.include(exited.message, "JavaScript heap out of memory")
    }).pipe(Effect.provide(layer)))

  it.live("ends after its last line has reached the console of its owner", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const console = { ...globalThis.console, log: (line: string) => heard.push(line) }
      yield* Process.run(Tasks.Tasks, Tasks.Say, { lines: 10_000 }, { name: "sayer" }).pipe(
        Effect.provideService(Console.Console, console)
      )
      assert.strictEqual(heard.length, 10_000)
      assert.match(heard.at(-1)!, /^\[sayer\] 10000 /)
    }).pipe(Effect.provide(layer)))

  it.live("gets handles, and its changes through them stay", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int })
      yield* Process.run(Tasks.Tasks, Tasks.Fill, { queue, size: 3 })
      assert.deepStrictEqual([yield* queue.take, yield* queue.take, yield* queue.take], [0, 1, 2])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("of fifty that append to one list at once adds its own entry, intact, once (SEED-25 to SEED-28)", () =>
    Effect.gen(function*() {
      const list = yield* SharedList.make({ item: Tasks.Entry })
      const numbers = Array.from({ length: 50 }, (_, n) => n)
      const processes = yield* Effect.forEach(numbers, (n) => Process.spawn(Tasks.Tasks, Tasks.Append, { list, n }))
      yield* Effect.forEach(processes, ({ result }) => result, { concurrency: "unbounded" })
      const entries = (yield* list.toArray).toSorted(([a], [b]) => a - b)
      assert.deepStrictEqual(entries, numbers.map((n) => [n, Math.sqrt(n)] as const))
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("is interrupted with its owner: finalizers first", () =>
    Effect.gen(function*() {
      const log = yield* Tasks.Log
      const owner = yield* Effect.forkChild(Process.run(Tasks.Tasks, Tasks.Wait, {}))
      assert.strictEqual(yield* log.take, "started")
      yield* Fiber.interrupt(owner)
      assert.strictEqual(yield* log.take, "finalized")
    }).pipe(Effect.provide(layer)))

  it.live("that does not end in its grace is killed", () =>
    Effect.gen(function*() {
      const log = yield* Tasks.Log
      const process = yield* Process.spawn(Tasks.Tasks, Tasks.Spin, {}, { grace: "100 millis" })
      yield* log.take
      yield* process.end
      assert.isFalse(isAlive(process.pid))
      assert.isFalse(yield* process.isRunning)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("that dies holding a lock leaves it to the next holder, which learns of it (R-1)", () =>
    Effect.gen(function*() {
      const log = yield* Tasks.Log
      const gate = yield* Tasks.Gate
      const holder = yield* Process.spawn(Tasks.Tasks, Tasks.Hold, {})
      yield* log.take
      const next = yield* Effect.forkChild(gate.withHold((hold) => Effect.succeed(hold.abandoned)))
      yield* holder.kill()
      assert.isTrue(yield* Fiber.join(next))
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("cannot be started for a manager in memory", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Square, { n: 1 }))
      assert.include(error.message, "Use NodeManager.layer")
    }).pipe(Effect.provide(Layer.merge(Manager.layerMemory, platform))))

  it.live("cannot be started from an entry that does not exist, and the error has both names", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Square, { n: 1 }))
      assert.match(error.message, /neither .*absent\.ts nor .*absent\.js exists/)
    }).pipe(Effect.provide(Layer.provideMerge(
      NodeManager.layerSpawner(fixture("absent")),
      Layer.merge(NodeManager.layer, NodeServices.layer)
    ))))

  it.live("leaves nothing behind: no process, no object, no session", () =>
    Effect.gen(function*() {
      yield* Effect.forEach([1, 2, 3], (n) => Process.run(Tasks.Tasks, Tasks.Square, { n }), { concurrency: 3 })
      const manager = yield* Manager.Manager
      const { counts } = yield* manager.inspect
      assert.deepStrictEqual(counts, { sessions: 1, objects: 4, waiters: 0, holders: 0 })
      yield* waitUntil("workers are gone", () =>
        descendants(process.pid).every((entry) => !entry.command.includes("worker.ts")))
    }).pipe(Effect.provide(layer)))
})
