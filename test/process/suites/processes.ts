/** `Process`: results, ends, signals, handles. */
import { Manager, Process, SharedList, SharedLock, SharedQueue, Task, TaskGroup } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import * as Tasks from "../fixtures/tasks.ts"
import type { Deployment } from "./deployment.ts"

/** A task that the workers of this suite do not serve. */
const Foreign = Task.make("Foreign", { payload: {} })
const Others = TaskGroup.make("others", { tasks: [Foreign] })

const layerShared = Layer.mergeAll(Tasks.Log.layer, Tasks.Gate.layer, Tasks.Count.layer, Tasks.Round.layer)

/** Waits until main is the only process with a session. */
const untilAlone = Effect.flatMap(
  Manager.Manager,
  ({ counts }) => Effect.repeat(counts, { until: ({ sessions }) => sessions === 1 })
)

/** Tasks in processes of their own. */
export const processes = (deployment: Deployment): void => {
  const layer = Layer.provideMerge(layerShared, deployment.layer("worker", Tasks.tasks))

  describe(`a process, ${deployment.name}`, () => {
    it.live("returns its task's result, typed", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* Process.run(Tasks.Tasks, Tasks.Square, { n: 7 }), 49)
        const refused = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Square, { n: 13 }))
        assert.deepStrictEqual(refused, new Tasks.Refused({ why: "unlucky" }))
        const exit = yield* Effect.exit(Process.run(Tasks.Tasks, Tasks.Square, { n: 0 }))
        assert.include(String(exit), "zero")
        const thrown = yield* Effect.exit(Process.run(Tasks.Tasks, Tasks.Square, { n: -1 }))
        assert.include(String(thrown), "Die(Error: negative)")
      }).pipe(Effect.provide(layer)))

    it.live("is not started for a payload that does not encode, and the error names the task", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Square, { n: 1.5 }))
        assert.include(error.message, "Square on test: the value does not encode")
      }).pipe(Effect.provide(layer)))

    it.live("whose handler fails with a ManagerError ends with it", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Lose))
        assert.strictEqual(error._tag, "ManagerError")
        assert.include(error.message, "get on Ref \"test/Count\": the object no longer exists")
      }).pipe(Effect.provide(layer)))

    it.live("without a handler for its task ends with code 1, and says so", () =>
      Effect.gen(function*() {
        const exited = yield* Effect.flip(Process.run(Others, Foreign, {}))
        assert.strictEqual(exited._tag, "ProcessExited")
        if (exited._tag !== "ProcessExited") return
        const { code, hasBegun, lastLines, signal } = exited
        assert.deepStrictEqual({ code, hasBegun, signal }, { code: 1, hasBegun: false, signal: null })
        assert.include(lastLines.join("\n"), "does not serve the task others/Foreign")
      }).pipe(Effect.provide(layer)))

    it.live("that is killed is reported with the signal, and its own processes are killed, too (R-1)", () =>
      Effect.gen(function*() {
        const log = yield* Tasks.Log
        const family = yield* Process.spawn(Tasks.Tasks, Tasks.Nest, {}, { name: "parent" })
        assert.strictEqual(yield* log.take, "started")
        assert.isTrue(yield* family.isRunning)
        yield* family.kill()
        const exited = yield* Effect.flip(family.result)
        assert.strictEqual(exited._tag, "ProcessExited")
        assert.include(
          exited.message,
          `parent (pid ${family.pid}) ended by SIGKILL before Nest had a result. Its changes`
        )
        assert.isFalse(yield* family.isRunning)
        yield* untilAlone
        // No finalizer has run.
        assert.strictEqual(yield* log.size, 0)
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

    it.live("may outlive the lock under which it was started: its end is told (S-21)", () =>
      Effect.gen(function*() {
        const lock = yield* SharedLock.make()
        const holder = yield* lock.withLock(Process.spawn(Tasks.Tasks, Tasks.Hold, {}))
        yield* Effect.flatMap(Tasks.Log, (log) => log.take)
        yield* holder.kill()
        const exited = yield* Effect.flip(holder.result)
        assert.strictEqual(exited._tag, "ProcessExited")
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

    it.live("gets handles, and its changes through them stay", () =>
      Effect.gen(function*() {
        const queue = yield* SharedQueue.make({ item: Schema.Int })
        yield* Process.run(Tasks.Tasks, Tasks.Fill, { queue, size: 3 })
        assert.deepStrictEqual([yield* queue.take, yield* queue.take, yield* queue.take], [0, 1, 2])
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("of many that append to one list at once adds its own entry, intact, once (SEED-25 to SEED-28)", () =>
      Effect.gen(function*() {
        const list = yield* SharedList.make({ item: Tasks.Entry })
        const numbers = Array.from({ length: deployment.many }, (_, n) => n)
        const all = yield* Effect.forEach(numbers, (n) => Process.spawn(Tasks.Tasks, Tasks.Append, { list, n }))
        yield* Effect.forEach(all, ({ result }) => result, { concurrency: "unbounded" })
        const entries = (yield* list.toArray).toSorted(([a], [b]) => a - b)
        assert.deepStrictEqual(entries, numbers.map((n) => [n, Math.sqrt(n)] as const))
      }).pipe(Effect.scoped, Effect.provide(layer)))

    for (const [how, interrupt] of [["its owner", undefined], ["SIGTERM", "SIGTERM"], ["SIGINT", "SIGINT"]] as const) {
      it.live(`is interrupted by ${how}: finalizers first`, () =>
        Effect.gen(function*() {
          const log = yield* Tasks.Log
          const process = yield* Process.spawn(Tasks.Tasks, Tasks.Wait, {})
          assert.strictEqual(yield* log.take, "started")
          yield* interrupt === undefined ? process.end : process.kill(interrupt)
          const exited = yield* Effect.flip(process.result)
          assert.strictEqual(yield* log.take, "finalized")
          assert.include(exited.message, "ended with code 130 before Wait had a result")
        }).pipe(Effect.scoped, Effect.provide(layer)))
    }

    for (const task of [Tasks.Resist, ...deployment.isIsolated ? [Tasks.Spin] : []]) {
      it.live(`that does not end in its grace is killed: ${task.tag}`, () =>
        Effect.gen(function*() {
          const log = yield* Tasks.Log
          const process = yield* Process.spawn(Tasks.Tasks, task, {}, { grace: "100 millis" })
          yield* log.take
          yield* process.end
          assert.isFalse(yield* process.isRunning)
          assert.isFalse(deployment.isAlive(process.pid))
          assert.include((yield* Effect.flip(process.result)).message, "ended by SIGKILL")
          yield* untilAlone
        }).pipe(Effect.scoped, Effect.provide(layer)))
    }

    it.live("that is frozen does nothing until it is continued, and is killed after its grace", () =>
      Effect.gen(function*() {
        const log = yield* Tasks.Log
        const [first, second] = yield* Effect.forEach(
          ["1 minute", "100 millis"] as const,
          (grace) => Process.spawn(Tasks.Tasks, Tasks.Wait, {}, { grace })
        )
        assert.deepStrictEqual([yield* log.take, yield* log.take], ["started", "started"])
        yield* first!.kill("SIGSTOP")
        yield* first!.kill("SIGTERM")
        yield* second!.kill("SIGSTOP")
        yield* second!.end
        assert.include((yield* Effect.flip(second!.result)).message, "ended by SIGKILL")
        assert.strictEqual(yield* log.size, 0)
        assert.isTrue(yield* first!.isRunning)
        yield* first!.kill("SIGCONT")
        assert.include((yield* Effect.flip(first!.result)).message, "ended with code 130")
        assert.strictEqual(yield* log.take, "finalized")
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("leaves nothing behind: no object, no session", () =>
      Effect.gen(function*() {
        yield* Effect.forEach([1, 2, 3], (n) => Process.run(Tasks.Tasks, Tasks.Square, { n }), { concurrency: 3 })
        const { counts } = yield* Manager.Manager
        assert.deepStrictEqual(yield* counts, { sessions: 1, objects: 4, waiters: 0, holders: 0 })
      }).pipe(Effect.provide(layer)))
  })
}
