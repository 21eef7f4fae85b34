/** Own kinds in real processes: the manager's process runs the program's file in the role of a manager. */
import { Manager, Process, SharedObject } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { Hall, Seats, Sit, Tasks } from "./fixtures/seats.ts"
import { allGone, descendants, fixture, isAlive, start, waitUntil } from "./harness.ts"

const layer = Layer.provideMerge(
  Hall.layer,
  NodeManager.layerProgram({ entry: fixture("seatsMain"), kinds: [Hall] })
)

describe("a manager with own kinds", () => {
  it.live("is a process of its own, which ends with the program, and a worker that is killed gives back its hold", () =>
    Effect.gen(function*() {
      const pid = yield* Effect.gen(function*() {
        const hall = yield* Hall
        const pid = yield* hall.managerPid
        assert.notStrictEqual(pid, process.pid)
        const worker = yield* Process.spawn(Tasks, Sit, 3)
        yield* hall.state.until(({ free }) => free === 0)
        const waiting = yield* Effect.forkChild(Effect.scoped(Effect.andThen(hall.sit(2), hall.state.get)))
        yield* worker.kill()
        assert.deepStrictEqual(yield* Fiber.join(waiting), { free: 1 })
        assert.deepStrictEqual(yield* hall.state.until(({ free }) => free === 3), { free: 3 })
        return pid
      }).pipe(Effect.scoped, Effect.provide(layer))
      assert.isFalse(isAlive(pid))
    }))

  it.live("goes on after a transition that throws", () =>
    Effect.gen(function*() {
      const hall = yield* Hall
      const { reason } = yield* Effect.flip(hall.throws)
      assert.strictEqual(reason._tag, "TransitionFailed")
      assert.include(reason.message, "no seats at all")
      assert.deepStrictEqual(yield* hall.state.get, { free: 3 })
    }).pipe(Effect.provide(layer)))

  it.live("does not start if the program that it runs was not given them, and says so", () =>
    Effect.gen(function*() {
      const without = NodeManager.layerWith({ kinds: [Hall], entry: fixture("worker") })
      const error = yield* Effect.flip(Effect.scoped(Effect.provide(Manager.Manager, without)))
      assert.match(error.message, /runMain of .*worker\.ts was not given the kind test\/Seats/)
    }))

  it.live("may be this process: it serves other programs, too", () =>
    Effect.gen(function*() {
      const { endpoint } = yield* Manager.Manager
      yield* Effect.gen(function*() {
        const theirs = yield* SharedObject.make(Seats, { name: "served", options: { seats: 1 } })
        assert.strictEqual(yield* theirs.managerPid, process.pid)
      }).pipe(Effect.scoped, Effect.provide(NodeManager.layerClient(endpoint!), { local: true }))
    }).pipe(Effect.scoped, Effect.provide(NodeManager.layerServer({ kinds: [Seats] }))))
})

describe("a transition that never returns", () => {
  it.live("is named, and keeps no process alive when its program is killed", () =>
    Effect.gen(function*() {
      const program = yield* start(fixture("seatsMain"))
      const word = "[manager] the transition loop of test/Seats has run for a second and does not return"
      yield* waitUntil("it is named", () => program.output().includes(word))
      const children = descendants(program.pid)
      assert.isAbove(children.length, 2)
      program.process.kill("SIGKILL")
      yield* allGone(children)
    }).pipe(Effect.scoped))
})
