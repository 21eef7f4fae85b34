/** Own kinds under simulation: correct ones pass with every fault, and each wrong one is found. */
import { engineKinds } from "#core/kind/EngineKind.ts"
import { simulateSeed } from "#core/testing/simulateSeed.ts"
import { Kind, Manager, Process, SharedObject, Task, TaskGroup } from "@effect-multiprocessing/core"
import {
  cancellable,
  certify,
  type FaultName,
  fromJournalLine,
  harmlessFaults,
  inProcess,
  type JournalEntry,
  simulate,
  type SimulateOptions,
  type SimulationFailed
} from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import type { AnyOperation } from "../../simulation/mutation.ts"
import { budget } from "../../support/budget.ts"
import { Savings } from "./account.ts"

const everyFault: ReadonlyArray<FaultName> = [...harmlessFaults, "kill", "cut"]

const Work = Task.make("Work", { payload: {} })
const Tasks = TaskGroup.make("app", { tasks: [Work] })

/** Three processes do the same, and may fail of faults. */
const threeTimes = Effect.forEach([1, 2, 3], () => Effect.exit(Process.run(Tasks, Work, {})), {
  concurrency: "unbounded"
})

describe("a program with an own kind", () => {
  it.live("passes with every fault: changes, reads that wait, holds, watchers", () =>
    Effect.gen(function*() {
      const work = Effect.gen(function*() {
        const savings = yield* Savings
        yield* cancellable(SharedObject.withHold(savings.reserve(3), () => savings.deposit(1)))
        yield* cancellable(savings.spend(4))
        yield* cancellable(Effect.scoped(Effect.andThen(savings.reserve(2), savings.untilAtLeast(1))))
        yield* Effect.exit(savings.withdraw({ amount: 2 }))
        yield* savings.deposit(4)
      })
      const tasks = Tasks.toLayer({ Work: () => Effect.orDie(work) }).pipe(Layer.provide(Savings.layer))
      const main = Effect.gen(function*() {
        const savings = yield* Savings
        yield* Effect.forkScoped(Effect.ignore(savings.state.until(({ reserved }) => reserved > 100)))
        yield* savings.deposit(10)
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(1_000), savings.deposit(5))))
        yield* threeTimes
        yield* savings.state.until(({ reserved }) => reserved === 0)
      }).pipe(Effect.scoped, Effect.provide(Savings.layer))
      const { faults } = yield* simulate(main, {
        tasks,
        kinds: [Savings],
        seeds: Math.max(12, budget(12)),
        faults: everyFault
      })
      for (const fault of everyFault) assert.isAbove(faults[fault], 0, fault)
    }))

  it.live("that waits until times passes, too", () =>
    Effect.gen(function*() {
      const Pace = Kind.make("test/Pace", {
        state: Schema.Struct({ nextAt: Schema.Number, taken: Schema.Int }),
        initial: { nextAt: 0, taken: 0 },
        operations: { take: Kind.change({ success: Schema.Number }), mayTake: Kind.read({ success: Schema.Boolean }) },
        transitions: {
          take: ({ nextAt, taken }, _, { now }) =>
            now < nextAt ? Kind.waitUntil(nextAt) : Kind.reply({ nextAt: now + 100, taken: taken + 1 }, now),
          mayTake: ({ nextAt }, _, { now }) => Kind.succeed(now >= nextAt)
        }
      })
      class Paced extends SharedObject.Service<Paced>()("test/Paced", Pace) {}
      const work = Effect.gen(function*() {
        const pace = yield* Paced
        const first = yield* pace.take
        yield* pace.mayTake
        yield* cancellable(pace.take)
        yield* cancellable(Manager.atomic([pace.take, (yield* Savings).deposit(1)]))
        const last = yield* pace.take
        assert.isAtLeast(last - first, 100)
      })
      const tasks = Tasks.toLayer({ Work: () => Effect.orDie(work) }).pipe(Layer.provide([Paced.layer, Savings.layer]))
      yield* simulate(Effect.provide(threeTimes, Paced.layer), {
        tasks,
        kinds: [Paced, Savings],
        seeds: budget(10),
        faults: everyFault
      })
    }))
})

// ---------------------------------------------------------------------------------------------------------------
// wrong kinds
// ---------------------------------------------------------------------------------------------------------------

let calls = 0

/** A purse whose deposits do something wrong. */
const purse = (
  deposit: (state: number, amount: number, step: Kind.Step) => ReturnType<typeof Kind.done<number>> | Kind.Waiting,
  more: { readonly initial?: number; readonly released?: (state: number) => number } = {}
) =>
  Kind.make("test/Purse", {
    state: Schema.Number,
    initial: more.initial ?? 0,
    operations: {
      deposit: Kind.change({ payload: Schema.Int }),
      hold: Kind.hold(),
      get: Kind.read({ success: Schema.Number })
    },
    transitions: { deposit, hold: (state) => Kind.done(state), get: (state) => Kind.succeed(state) },
    released: { hold: more.released ?? ((state) => state) },
    invariants: { "is a whole number from 0 up": (state) => Number.isInteger(state) && state >= 0 }
  })

const wrong = {
  "draws random numbers": purse((state, amount) => Kind.done(state + amount + Math.floor(Math.random() * 1_000))),
  "reads a clock of its own": purse((_, amount) => Kind.done(Date.now() + amount)),
  "counts in a variable": purse((state, amount) => Kind.done(state + amount + ++calls)),
  "breaks its invariant": purse((state, amount) => Kind.done(state > 5 ? -1 : state + amount)),
  "breaks its invariant in the beginning": purse((state) => Kind.done(state), { initial: 0.5 }),
  "waits for a time that it does not name": purse((state, amount, { now }) =>
    now % 2 === 0 ? Kind.wait : Kind.done(state + amount)
  ),
  "throws when a hold ends": purse((state) => Kind.done(state), {
    released: () => {
      throw new Error("no release")
    }
  })
}

const usePurse = (kind: ReturnType<typeof purse>, options: SimulateOptions = {}) => {
  const use = Effect.gen(function*() {
    const object = yield* SharedObject.make(kind, { name: "purse" })
    yield* Effect.scoped(object.hold)
    for (const amount of [1, 2, 3]) {
      yield* Effect.timeoutOption(object.deposit(amount), 1_000)
      yield* Effect.sleep(7)
    }
    yield* object.get
  })
  const main = Effect.all([use, Effect.exit(inProcess(Effect.scoped(use), { name: "other" }))], {
    concurrency: "unbounded"
  })
  return simulate(main, { kinds: [kind], seeds: 200, ...options })
}

describe("a kind that", () => {
  for (const [name, kind] of Object.entries(wrong)) {
    it.live(`${name} is found within 200 seeds`, () =>
      Effect.gen(function*() {
        const error: SimulationFailed = yield* Effect.flip(usePurse(kind))
        assert.isAtMost(error.seed, 200)
        assert.match(error.violations.join("\n"), /I1|I4|invariant|purse|Purse/)
      }))
  }

  it.live("does nothing wrong is not", () =>
    usePurse(purse((state, amount) => Kind.done(state + amount)), { seeds: 20 }))
})

describe("a manager that", () => {
  it("loses a change of an own kind is found", () => {
    const kind = purse((state, amount) => Kind.done(state + amount))
    const use = Effect.gen(function*() {
      const object = yield* SharedObject.make(kind, { name: "purse" })
      for (const amount of [1, 2, 3, 4]) yield* object.deposit(amount)
      yield* object.get
    })
    let changes = 0
    const [engineKind] = engineKinds([kind])
    const { deposit } = engineKind!.operations
    const forgetful: AnyOperation["apply"] = (state, args, at) => {
      const { current } = state
      const reply = deposit.apply(state, args, at)
      if (++changes % 3 === 0) state.current = current
      return reply
    }
    const operations = { ...engineKind!.operations, deposit: { ...deposit, apply: forgetful } }
    const { violations } = simulateSeed(() => Effect.scoped(use), {
      seed: 1,
      clients: 1,
      faults: [],
      ownKinds: [kind],
      kinds: [{ ...engineKind!, operations }]
    })
    assert.include(violations.join("\n"), "but should be told (10)")
  })

  it.live("ran another kind of the same name is found by its journal", () =>
    Effect.gen(function*() {
      const adding = (factor: number) =>
        Kind.make("test/Sum", {
          state: Schema.Int,
          initial: 0,
          operations: { add: Kind.change({ payload: Schema.Int, success: Schema.Int }), hold: Kind.hold() },
          transitions: {
            add: (state, n) => Kind.reply(state + n * factor, state + n * factor),
            hold: (state) => Kind.done(state)
          },
          released: { hold: (state) => state }
        })
      const lines: Array<string> = []
      const journal = (entry: JournalEntry) => lines.push(Manager.toJournalLine(entry))
      const use = Effect.gen(function*() {
        const object = yield* SharedObject.make(adding(1), { name: "sum" })
        yield* object.add(1)
        yield* Effect.scoped(object.hold)
      })
      yield* Effect.scoped(use).pipe(Effect.provide(Manager.layerMemoryWith({ kinds: [adding(1)], journal })))
      const history = { journal: lines.map(fromJournalLine), records: [] }
      assert.deepStrictEqual(certify(history, { kinds: [adding(1)] }), [])
      const violations = certify(history, { kinds: [adding(2)] })
      assert.match(violations.join("\n"), /add\(1\) on test\/Sum .* replied \(1\), but should reply \(2\)/)
    }))
})
