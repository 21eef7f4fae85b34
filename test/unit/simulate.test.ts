/** `simulate`: programs of users, with the bugs that users write. */
import {
  type ManagerError,
  Pool,
  Process,
  SharedLock,
  SharedMap,
  SharedQueue,
  SharedRef,
  Task,
  TaskGroup
} from "@effect-multiprocessing/core"
import {
  cancellable,
  type FaultName,
  harmlessFaults,
  inProcess,
  simulate,
  Simulator
} from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Layer, Random, Schedule, Schema } from "effect"
import { budget } from "../support/budget.ts"

class Stock extends SharedRef.Service<Stock>()("app/Stock", { schema: Schema.Int, initial: 10 }) {}
class Gate extends SharedLock.Service<Gate>()("app/Gate") {}
class Done extends SharedMap.Service<Done>()("app/Done", { key: Schema.Int, value: Schema.Boolean }) {}
class Jobs extends SharedQueue.Service<Jobs>()("app/Jobs", { item: Schema.Int }) {}
const layerShared = Layer.mergeAll(Stock.layer, Gate.layer, Jobs.layer, Done.layer)

const Sell = Task.make("Sell", { payload: {} })
const Tasks = TaskGroup.make("shop", { tasks: [Sell] })

type QueueEnds = SharedQueue.QueueClosed | SharedQueue.LeaseLost | ManagerError.ManagerError

/** Reads, computes and writes: another process may do the same between the read and the write. */
const careless = Effect.gen(function*() {
  const stock = yield* Stock
  yield* stock.set((yield* stock.get) - 1)
})
const locked = Effect.flatMap(Gate, (gate) => gate.withLock(careless))
const atomic = Effect.flatMap(Stock, (stock) => stock.add(-1))

const shop = (sell: Effect.Effect<unknown, unknown, Stock | Gate | Jobs | Done>) =>
  Tasks.toLayer({ Sell: () => Effect.orDie(Effect.asVoid(sell)) }).pipe(Layer.provide(layerShared))

const sale = Effect.gen(function*() {
  yield* Effect.all([1, 2, 3].map(() => Process.run(Tasks, Sell, {})), { concurrency: "unbounded" })
  assert.strictEqual(yield* (yield* Stock).get, 7)
}).pipe(Effect.provide(layerShared))

const everyFault: ReadonlyArray<FaultName> = [...harmlessFaults, "kill", "cut"]

describe("simulate", () => {
  it.live("finds an update that is lost, and shows how", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(simulate(sale, { tasks: shop(careless), seeds: 50 }))
      assert.match(error.violations.join(), /^main failed: AssertionError: expected [89] to equal 7$/)
      assert.include(error.message, `simulate(program, { seeds: 1, from: ${error.seed} })`)
      assert.include(String(error.cause), "AssertionError")
      // Two processes have read the same value.
      const read = error.calls.flatMap((line) =>
        /^Sell-\d: get\(value\) on Ref "app\/Stock" → (.*)$/.exec(line)?.[1] ?? []
      )
      assert.strictEqual(read.length, 3, error.message)
      assert.isBelow(new Set(read).size, 3, error.message)
    }))

  for (const [name, sell] of Object.entries({ "under a lock": locked, "with an atomic operation": atomic })) {
    it.live(`finds nothing in an update ${name}`, () =>
      Effect.gen(function*() {
        const count = Math.max(30, budget(8))
        const { different, faults, seeds } = yield* simulate(sale, { tasks: shop(sell), seeds: count })
        assert.deepStrictEqual([seeds, different], [count, count])
        for (const fault of ["delay", "split", "pause", "rush"] as const) assert.isAbove(faults[fault], 0, fault)
        assert.deepStrictEqual([faults.kill, faults.cut], [0, 0])
      }))
  }

  it.live("runs a seed the same way every time", () =>
    Effect.gen(function*() {
      const options = { tasks: shop(careless), seeds: 50 }
      const first = yield* Effect.flip(simulate(sale, options))
      const alone = yield* Effect.flip(simulate(sale, { ...options, seeds: 1, from: first.seed }))
      assert.strictEqual(alone.message, first.message)
      assert.notInclude(first.message, "another way")
    }))

  it.live("says that the seed does not decide everything", () =>
    Effect.gen(function*() {
      let runs = 0
      const program = Effect.gen(function*() {
        yield* Effect.repeat(Effect.yieldNow, { times: ++runs })
        assert.fail("always")
      })
      const { message } = yield* Effect.flip(simulate(program, { seeds: 1 }))
      assert.include(message, "A second run of this seed went another way")
    }))

  it.live("gives every process a connection of its own, and without tasks, too", () =>
    Effect.gen(function*() {
      const seen = new Set<string>()
      const client = (name: string) =>
        inProcess(
          Effect.gen(function*() {
            yield* Effect.provide(atomic, layerShared)
            const { client } = yield* Simulator
            return client.name
          }),
          { name }
        )
      const program = Effect.gen(function*() {
        const names = yield* Effect.all(["a", "b"].map(client), { concurrency: "unbounded" })
        for (const name of names) seen.add(name)
        assert.strictEqual(yield* Effect.provide(Effect.flatMap(Stock, (stock) => stock.get), layerShared), 8)
      })
      yield* simulate(program, { seeds: budget(8) })
      assert.deepStrictEqual([...seen].sort(), ["a", "b"])
    }))

  it.live("kills and cuts off processes if the options say so, and their runs end accordingly", () =>
    Effect.gen(function*() {
      const ends = new Set<string>()
      const program = Effect.gen(function*() {
        const exits = yield* Effect.all(
          [1, 2, 3].map(() => Effect.exit(Process.run(Tasks, Sell, {}))),
          { concurrency: "unbounded" }
        )
        for (const exit of exits) {
          ends.add(Exit.isSuccess(exit) ? "done" : /by SIGKILL|with code 1/.exec(String(exit.cause))![0])
        }
        const left = yield* (yield* Stock).get
        const done = exits.filter(Exit.isSuccess).length
        assert.isAtMost(left, 10 - done)
        assert.isAtLeast(left, 7)
      }).pipe(Effect.provide(layerShared))
      const { faults } = yield* simulate(program, {
        tasks: shop(locked),
        seeds: Math.max(10, budget(10)),
        faults: everyFault
      })
      assert.isAbove(faults.kill, 0)
      assert.isAbove(faults.cut, 0)
      assert.deepStrictEqual([...ends].sort(), ["by SIGKILL", "done", "with code 1"])
    }))

  it.live("finds work that is lost with its process, and nothing if the work is given back (S-18)", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const jobs = yield* Jobs
        yield* jobs.offerAll([1, 2, 3, 4])
        yield* jobs.close
        // Repeats, because any process may be killed.
        const work = Effect.repeat(Effect.exit(Process.run(Tasks, Sell, {})), { until: Exit.isSuccess })
        yield* Effect.all([work, work], { concurrency: "unbounded" })
        assert.strictEqual(yield* (yield* Done).size, 4)
      }).pipe(Effect.provide(layerShared))
      const tasks = (one: (jobs: SharedQueue.SharedQueue<number>) => Effect.Effect<unknown, QueueEnds, Done>) =>
        shop(
          Effect.flatMap(Jobs, (jobs) =>
            Effect.forever(one(jobs)).pipe(Effect.catchTag("QueueClosed", () => Effect.void)))
        )
      // Simulated time, in which a kill is likely.
      const finish = (job: number) =>
        Effect.andThen(Effect.sleep("20 millis"), Effect.flatMap(Done, (done) => done.set(job, true)))
      const given = tasks((jobs) => jobs.process(finish))
      const { faults } = yield* simulate(program, { tasks: given, seeds: budget(10), faults: ["kill"] })
      assert.isAbove(faults.kill, 0)
      const taken = tasks((jobs) => Effect.flatMap(jobs.take, finish))
      const { violations } = yield* Effect.flip(simulate(program, { tasks: taken, seeds: 300, faults: ["kill"] }))
      assert.match(violations.join(), /^main failed: AssertionError: expected [0-3] to equal 4$/)
    }))

  it.live("interrupts only cancellable effects", () =>
    Effect.gen(function*() {
      let interrupted = 0
      const program = Effect.gen(function*() {
        const exit = yield* cancellable(locked)
        if (Exit.isFailure(exit)) interrupted++
        yield* locked
        const left = yield* (yield* Stock).get
        assert.isTrue(left === 8 || (left === 9 && Exit.isFailure(exit)), String(left))
      }).pipe(Effect.provide(layerShared))
      const { faults } = yield* simulate(program, { seeds: budget(25) })
      assert.isAbove(faults.cancel, 0)
      assert.isAbove(interrupted, 0)
    }))

  it.live("says which process waits for ever, and for what", () =>
    Effect.gen(function*() {
      const waiting = Effect.flatMap(Jobs, (jobs) => jobs.take).pipe(Effect.provide(layerShared))
      const { message } = yield* Effect.flip(simulate(waiting, { seeds: 1 }))
      assert.include(message, "main waits for ever: take on Queue \"app/Jobs\" (waits in the manager)")
    }))

  it.live("takes time and chance from the seed", () =>
    Effect.gen(function*() {
      const drawn: Array<number> = []
      const program = Effect.gen(function*() {
        const before = yield* Clock.currentTimeMillis
        yield* Effect.sleep("1 hour")
        assert.isAtLeast((yield* Clock.currentTimeMillis) - before, 3_600_000)
        drawn.push(yield* Random.next, yield* Random.nextIntBetween(0, 1_000_000))
      })
      yield* simulate(program, { seeds: 2 })
      yield* simulate(program, { seeds: 2 })
      assert.deepStrictEqual(drawn.slice(0, 4), drawn.slice(4))
      assert.strictEqual(new Set(drawn).size, 4)
    }))

  it.live("ends a process with its scope, finalizers first, and one that does not end is killed after its grace", () =>
    Effect.gen(function*() {
      const finalized: Array<string> = []
      const program = Effect.gen(function*() {
        const started = yield* Deferred.make<void>()
        const process = (cleanUp: Effect.Effect<void>) =>
          inProcess(
            Effect.onInterrupt(Effect.andThen(Deferred.succeed(started, undefined), Effect.never), () => cleanUp),
            {
              name: "patient"
            }
          )
        const quick = yield* Effect.forkChild(process(Effect.sync(() => finalized.push("quick"))))
        const stuck = yield* Effect.forkChild(process(Effect.never))
        yield* Deferred.await(started)
        yield* Effect.sleep(10)
        yield* Fiber.interrupt(quick)
        yield* Fiber.interrupt(stuck)
      })
      yield* simulate(program, { seeds: 5, faults: [] })
      assert.deepStrictEqual(finalized, Array.from({ length: 5 }, () => "quick"))
    }))

  it.live("freezes and wakes processes by their owner's calls", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const process = yield* Process.spawn(Tasks, Sell, {})
        yield* process.kill("SIGSTOP")
        yield* Effect.sleep("1 minute")
        assert.isTrue(yield* process.isRunning)
        assert.strictEqual(yield* (yield* Stock).get, 10)
        yield* process.kill("SIGCONT")
        yield* process.result
        assert.strictEqual(yield* (yield* Stock).get, 9)
      }).pipe(Effect.scoped, Effect.provide(layerShared))
      yield* simulate(program, { tasks: shop(atomic), seeds: 5, faults: [] })
    }))

  it.live("runs pools, whose calls survive killed workers when they are repeated", () =>
    Effect.gen(function*() {
      const Square = Task.make("Square", { payload: Schema.Int, success: Schema.Int })
      const Squares = TaskGroup.make("squares", { tasks: [Square] })
      // Simulated time, in which a kill is likely.
      const tasks = Squares.toLayer({ Square: (n) => Effect.as(Effect.sleep("20 millis"), n * n) })
      const numbers = Array.from({ length: 8 }, (_, n) => n)
      let crashes = 0
      const program = Effect.gen(function*() {
        // A worker may be killed before the pool is there.
        const pool = yield* Effect.retry(Pool.make(Squares), { times: 5 })
        const retry = Schedule.tap(Schedule.forever, () => Effect.sync(() => crashes++))
        const squares = yield* pool.map(Square, numbers, { chunk: 1, retry })
        assert.deepStrictEqual(squares, numbers.map((n) => n * n))
      }).pipe(Effect.scoped)
      const { faults } = yield* simulate(program, { tasks, seeds: 60, faults: everyFault })
      assert.isAbove(faults.kill, 0)
      assert.isAbove(crashes, 0)
    }))

  it.live("finds that a task of a pool runs twice when its worker is killed and it is repeated", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const pool = yield* Effect.retry(Pool.make(Tasks), { times: 5 })
        yield* pool.map(Sell, [{}, {}, {}], { chunk: 1, retry: Schedule.forever })
        assert.strictEqual(yield* (yield* Stock).get, 7)
      }).pipe(Effect.scoped, Effect.provide(layerShared))
      yield* simulate(program, { tasks: shop(atomic), seeds: budget(8) })
      const { violations } = yield* Effect.flip(
        simulate(program, { tasks: shop(atomic), seeds: 300, faults: ["delay", "kill"] })
      )
      assert.match(violations.join(), /^main failed: AssertionError: expected \d to equal 7$/)
    }))

  it.live("refuses numbers of seeds that would test nothing", () =>
    Effect.gen(function*() {
      for (const options of [{ seeds: 0 }, { seeds: 1.5 }, { seeds: NaN }, { from: 0.5 }]) {
        assert.include(String(yield* Effect.exit(simulate(Effect.void, options))), "must be a whole number")
      }
    }))
})
