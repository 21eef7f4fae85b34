/** Objects of own kinds: what a program defines, at work in a manager. */
import * as Checkpoint from "#core/engine/Checkpoint.ts"
import { Engine } from "#core/engine/Engine.ts"
import type { Malformed } from "#core/engine/Format.ts"
import * as StateHash from "#core/engine/StateHash.ts"
import { engineKinds } from "#core/kind/EngineKind.ts"
import { Kind, Manager, SharedLock, SharedObject, SharedRef } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, SchemaTransformation, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Memory from "../../support/Memory.ts"
import { untilWaiting } from "../../support/untilWaiting.ts"
import { Account, misdeeds, Overdrawn, Savings, Wrong } from "./account.ts"

/** A manager with kinds, and a function that connects a client to it. */
const setUp = (...kinds: ReadonlyArray<Kind.Known>) =>
  Effect.gen(function*() {
    const memory = yield* Memory.make({ kinds: engineKinds(kinds) })
    const client = Effect.map(memory.connect(), ({ cut, manager }) => ({
      manager,
      cut,
      as: Effect.provideService(Manager.Manager, manager)
    }))
    return { memory, client, ...yield* client }
  })

const open = Effect.gen(function*() {
  const { as, ...rest } = yield* setUp(Account)
  return { ...rest, as, account: yield* as(SharedObject.make(Account, { name: "a" })) }
})

describe("an operation of an own kind", () => {
  it.live("returns its result, fails with its error, and reads what was written", () =>
    Effect.gen(function*() {
      const { account } = yield* open
      assert.strictEqual(yield* account.deposit(5), 5)
      assert.strictEqual(yield* account.withdraw({ amount: 2 }), 3)
      assert.deepStrictEqual(yield* Effect.flip(account.withdraw({ amount: 4 })), new Overdrawn({ balance: 3 }))
      assert.strictEqual(yield* account.balance, 3)
      assert.deepStrictEqual(yield* account.state.get, { balance: 3, reserved: 0 })
      yield* account.clear
      assert.strictEqual(yield* account.balance, 0)
    }))

  it.live("is sent with a payload that fits, or not at all", () =>
    Effect.gen(function*() {
      const { account } = yield* open
      const error = yield* Effect.flip(account.deposit(0.5))
      assert.strictEqual(error.reason._tag, "ValueNotEncoded")
      assert.strictEqual(yield* account.balance, 0)
    }))

  /** Two calls that wait, the first for more than the second, and then not enough for the first. */
  const twoWait = Effect.gen(function*() {
    const { account, as } = yield* open
    const first = yield* Effect.forkChild(account.spend(10))
    yield* as(untilWaiting(account, 1))
    const second = yield* Effect.forkChild(account.spend(1))
    yield* as(untilWaiting(account, 2))
    assert.strictEqual(yield* account.deposit(5), 5)
    return { account, first, second }
  })

  it.live("waits in the order of its lane, and delays no operation of another lane", () =>
    Effect.gen(function*() {
      const { account, first, second } = yield* twoWait
      assert.strictEqual(yield* account.deposit(6), 11)
      yield* Effect.all([Fiber.join(first), Fiber.join(second)])
      assert.strictEqual(yield* account.balance, 0)
    }))

  it.live("that waits is withdrawn when it is interrupted, and lets those behind it go on", () =>
    Effect.gen(function*() {
      const { account, first, second } = yield* twoWait
      yield* Fiber.interrupt(first)
      yield* Fiber.join(second)
      assert.strictEqual(yield* account.balance, 4)
    }))

  it.live("that only reads sees each state, however soon it changes", () =>
    Effect.gen(function*() {
      const { account, as } = yield* open
      const reading = yield* Effect.forkChild(account.untilAtLeast(7))
      yield* as(untilWaiting(account, 1))
      yield* Effect.all([account.deposit(7), account.clear], { concurrency: "unbounded" })
      assert.strictEqual(yield* Fiber.join(reading), 7)
    }))

  it.live("takes its own index, also together with others", () =>
    Effect.gen(function*() {
      const Log = Kind.make("test/Log", {
        state: Schema.Array(Schema.Int),
        initial: [],
        operations: { write: Kind.change({ success: Schema.Int }) },
        transitions: { write: (state, _, { index }) => Kind.reply([...state, index], index) }
      })
      const { as } = yield* setUp(Log)
      const [a, b] = yield* as(
        Effect.all([SharedObject.make(Log, { name: "a" }), SharedObject.make(Log, { name: "b" })])
      )
      const alone = yield* a.write
      const [first, second] = yield* as(Manager.atomic([a.write, b.write]))
      assert.deepStrictEqual([second - first, first > alone], [1, true])
      assert.deepStrictEqual(yield* a.state.get, [alone, first])
      assert.deepStrictEqual(yield* b.state.get, [second])
    }))

  it.live("takes effect together with calls of built-in types, or not at all", () =>
    Effect.gen(function*() {
      const { account, as } = yield* open
      const ref = yield* as(SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0 }))
      const refused = yield* Effect.flip(as(Manager.atomic([ref.set(1), account.withdraw({ amount: 1 })])))
      assert.deepStrictEqual(refused, new Overdrawn({ balance: 0 }))
      assert.deepStrictEqual([yield* ref.get, yield* account.balance], [0, 0])
      yield* as(Manager.atomic([ref.set(1), account.deposit(1)]))
      assert.deepStrictEqual([yield* ref.get, yield* account.balance], [1, 1])
    }))
})

describe("a transition", () => {
  for (const misdeed of misdeeds) {
    it.live(`that ${misdeed} fails its call, and leaves the state and the manager as they are`, () =>
      Effect.gen(function*() {
        const { as } = yield* setUp(Wrong)
        const wrong = yield* as(SharedObject.make(Wrong))
        const error = yield* Effect.flip(wrong.commit(misdeed))
        assert.strictEqual(error._tag === "ManagerError" && error.reason._tag, "TransitionFailed", String(error))
        assert.include(error.message, "commit on test/Wrong")
        assert.deepStrictEqual(yield* wrong.state.get, { items: [{ n: 1 }] })
        assert.strictEqual(yield* wrong.count, 1)
      }))
  }

  it.live("of a read that replaces the state, and of a hold that does not, fails its call", () =>
    Effect.gen(function*() {
      const { as, memory } = yield* setUp(Wrong)
      const wrong = yield* as(SharedObject.make(Wrong))
      for (const call of [wrong.look, wrong.take]) {
        const error = yield* Effect.flip(Effect.scoped(call))
        assert.strictEqual(error._tag === "ManagerError" && error.reason._tag, "TransitionFailed")
      }
      assert.strictEqual(memory.server.engine.state.counts.holders, 0)
    }))

  it.live("does not have the state encoded, unless something watches it", () =>
    Effect.gen(function*() {
      let encoded = 0
      const Counted = Schema.String.pipe(Schema.decodeTo(
        Schema.String,
        SchemaTransformation.transform({ decode: (text) => text, encode: (text) => (encoded++, text) })
      ))
      const Text = Kind.make("test/Text", {
        state: Schema.Struct({ text: Counted }),
        initial: { text: "" },
        operations: { add: Kind.change({ payload: Schema.String }) },
        transitions: { add: ({ text }, more) => Kind.done({ text: text + more }) }
      })
      const { as } = yield* setUp(Text)
      const text = yield* as(SharedObject.make(Text, { name: "text" }))
      for (const more of ["a", "b", "c"]) yield* text.add(more)
      assert.strictEqual(encoded, 0)
      assert.deepStrictEqual(yield* text.state.get, { text: "abc" })
      assert.strictEqual(encoded, 1)
    }))
})

describe("a call that waits until a time", () => {
  const Bucket = Kind.make("test/Bucket", {
    state: Schema.Struct({ tokens: Schema.Int, nextAt: Schema.Number, everyMs: Schema.Int }),
    options: Schema.Struct({ everyMs: Schema.Int }),
    initial: ({ everyMs }) => ({ tokens: 1, nextAt: 0, everyMs }),
    operations: {
      take: Kind.change({ success: Schema.Number }),
      put: Kind.change()
    },
    transitions: {
      take: (state, _, { now }) =>
        state.tokens > 0
          ? Kind.reply({ ...state, tokens: state.tokens - 1, nextAt: now + state.everyMs }, now)
          : now >= state.nextAt
          ? Kind.reply({ ...state, nextAt: now + state.everyMs }, now)
          : Kind.waitUntil(state.nextAt),
      put: (state) => Kind.done({ ...state, tokens: state.tokens + 1 })
    }
  })

  it.effect("goes on at that time, though nothing has changed, and in order", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp(Bucket)
      const bucket = yield* as(SharedObject.make(Bucket, { options: { everyMs: 100 } }))
      const all = yield* Effect.forkChild(Effect.all([1, 2, 3].map(() => bucket.take), { concurrency: "unbounded" }))
      yield* as(untilWaiting(bucket, 2))
      yield* TestClock.adjust(99)
      yield* as(untilWaiting(bucket, 2))
      yield* TestClock.adjust(1)
      yield* as(untilWaiting(bucket, 1))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(yield* Fiber.join(all), [0, 100, 200])
    }))

  it.effect("goes on before, if the state has changed", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp(Bucket)
      const bucket = yield* as(SharedObject.make(Bucket, { options: { everyMs: 100 } }))
      yield* bucket.take
      const second = yield* Effect.forkChild(bucket.take)
      yield* as(untilWaiting(bucket, 1))
      yield* bucket.put
      assert.strictEqual(yield* Fiber.join(second), 0)
    }))

  it.effect("that is over takes a millisecond, and not the whole time of the manager", () =>
    Effect.gen(function*() {
      const Late = Kind.make("test/Late", {
        state: Schema.Int,
        initial: 0,
        operations: { wait: Kind.read({ success: Schema.Number }) },
        transitions: { wait: (_, __, { now }) => now < 3 ? Kind.waitUntil(-1) : Kind.succeed(now) }
      })
      const { as } = yield* setUp(Late)
      const late = yield* as(SharedObject.make(Late))
      const waiting = yield* Effect.forkChild(late.wait)
      yield* as(untilWaiting(late, 1))
      yield* TestClock.adjust(5)
      assert.isAtLeast(yield* Fiber.join(waiting), 3)
    }))
})

describe("a hold", () => {
  it.live("ends with its scope", () =>
    Effect.gen(function*() {
      const { account, memory } = yield* open
      yield* account.deposit(5)
      yield* Effect.scoped(Effect.gen(function*() {
        assert.strictEqual(yield* account.reserve(3), 3)
        assert.deepStrictEqual(yield* account.state.get, { balance: 2, reserved: 3 })
      }))
      assert.deepStrictEqual(yield* account.state.get, { balance: 5, reserved: 0 })
      assert.strictEqual(memory.server.engine.state.counts.holders, 0)
    }))

  it.live("ends with its process, and those that wait go on", () =>
    Effect.gen(function*() {
      const { account, client } = yield* open
      yield* account.deposit(5)
      const other = yield* client
      const theirs = yield* other.as(SharedObject.make(Account, { name: "a" }))
      yield* theirs.reserve(5)
      const mine = yield* Effect.forkChild(Effect.scoped(account.reserve(1)))
      yield* other.as(untilWaiting(account, 1))
      other.cut("killed")
      assert.strictEqual(yield* Fiber.join(mine), 1)
      yield* account.state.until(({ balance }) => balance === 5)
    }))

  it.live("that is refused or interrupted leaves nothing behind", () =>
    Effect.gen(function*() {
      const { account, as, memory } = yield* open
      assert.deepStrictEqual(yield* Effect.flip(Effect.scoped(account.reserve(-1))), new Overdrawn({ balance: 0 }))
      const waiting = yield* Effect.forkChild(Effect.scoped(account.reserve(1)))
      yield* as(untilWaiting(account, 1))
      yield* Fiber.interrupt(waiting)
      yield* account.deposit(1)
      assert.deepStrictEqual(yield* account.state.get, { balance: 1, reserved: 0 })
      assert.strictEqual(memory.server.engine.state.counts.holders, 0)
    }))

  it.live("that is lost interrupts its body, and fences what the body writes later", () =>
    Effect.gen(function*() {
      const { account, as, manager } = yield* open
      const ref = yield* as(SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0 }))
      yield* account.deposit(1)
      const body = Effect.uninterruptible(Effect.gen(function*() {
        yield* ref.set(1)
        yield* SharedLock.unguarded(manager.remove(account))
        yield* ref.set(2)
      }))
      const error = yield* Effect.flip(SharedObject.withHold(account.reserve(1), () => body))
      assert.strictEqual(error._tag, "HoldLost")
      assert.include(error.message, "reserve on test/Account \"a\"")
      assert.strictEqual(yield* ref.get, 1)
    }))

  it.live("is held by a body, with its result, until the body has ended", () =>
    Effect.gen(function*() {
      const { account } = yield* open
      yield* account.deposit(5)
      const both = Effect.all([account.reserve(1), account.reserve(2)])
      const inside = yield* SharedObject.withHold(both, (acquired) =>
        Effect.map(account.state.get, (state) => ({ acquired, state })))
      assert.deepStrictEqual(inside, { acquired: [1, 3], state: { balance: 2, reserved: 3 } })
      assert.strictEqual(yield* account.balance, 5)
    }))

  it.effect("ends when its time is over", () =>
    Effect.gen(function*() {
      const Seat = Kind.make("test/Seat", {
        state: Schema.Struct({ taken: Schema.Boolean, reason: Schema.String }),
        initial: { taken: false, reason: "" },
        operations: { sit: Kind.hold({ holdFor: "1 second" }) },
        transitions: { sit: (state) => state.taken ? Kind.wait : Kind.done({ ...state, taken: true }) },
        released: { sit: (_, { reason }) => ({ taken: false, reason }) }
      })
      const { as } = yield* setUp(Seat)
      const seat = yield* as(SharedObject.make(Seat))
      const held = yield* Effect.forkChild(Effect.flip(SharedObject.withHold(seat.sit, () => Effect.never)))
      yield* seat.state.until(({ taken }) => taken)
      yield* TestClock.adjust(1_000)
      assert.strictEqual((yield* Fiber.join(held))._tag, "HoldLost")
      assert.deepStrictEqual(yield* seat.state.get, { taken: false, reason: "deadline" })
    }))
})

describe("the state of an object", () => {
  it.live("is watched: first as it is, then after each change", () =>
    Effect.gen(function*() {
      const { account } = yield* open
      const balances = Stream.map(account.state.changes, ({ balance }) => balance)
      const watching = yield* Effect.forkChild(Stream.runCollect(Stream.take(balances, 3)), { startImmediately: true })
      yield* account.state.until(() => true)
      yield* account.deposit(1)
      yield* account.deposit(2)
      assert.deepStrictEqual(yield* Fiber.join(watching), [0, 1, 3])
    }))

  it.live("is forgotten with its name when it is as in the beginning, and kept when it is not", () =>
    Effect.gen(function*() {
      const { as, memory } = yield* setUp(Account)
      const visit = (amount: number) =>
        Effect.scoped(
          as(Effect.flatMap(SharedObject.make(Account, { name: "b" }), (account) => account.deposit(amount)))
        )
      yield* visit(5)
      assert.strictEqual(yield* visit(-5), 0)
      yield* Memory.until("it is forgotten", () => memory.server.engine.state.objects.size === 1)
    }))

  it.live("counts for the memory of the manager, which refuses more when it is full", () =>
    Effect.gen(function*() {
      const Text = Kind.make("test/Text", {
        state: Schema.Array(Schema.String),
        initial: [],
        operations: { add: Kind.change({ payload: Schema.String }), clear: Kind.change() },
        transitions: { add: (texts, text) => Kind.done([...texts, text]), clear: () => Kind.done([]) }
      })
      const memory = yield* Memory.make({ kinds: engineKinds([Text]), limits: { memoryBytesMax: 10_000 } })
      const { manager } = yield* memory.connect()
      const texts = yield* Effect.provideService(SharedObject.make(Text), Manager.Manager, manager)
      const fill = Effect.forever(texts.add("x".repeat(1_000)))
      const full = yield* Effect.flip(fill)
      assert.strictEqual(full.reason._tag, "LimitExceeded")
      assert.isAbove((yield* texts.state.get).length, 3)
      yield* texts.clear
      yield* texts.add("y")
      assert.deepStrictEqual(yield* texts.state.get, ["y"])
    }))

  it.live("is that of a handle, wherever the handle went", () =>
    Effect.gen(function*() {
      const { account, as } = yield* open
      const ref = yield* as(SharedRef.make({ schema: SharedObject.schema(Account), initial: account }))
      const other = yield* as(ref.get)
      yield* other.deposit(3)
      assert.strictEqual(yield* account.balance, 3)
      assert.isTrue(SharedObject.isSharedObject(Account)(other))
      assert.isFalse(SharedObject.isSharedObject(Wrong)(other))
    }))
})

describe("a saved manager with own kinds", () => {
  const saved = Effect.gen(function*() {
    const { account, as, memory } = yield* open
    yield* account.deposit(5)
    yield* account.reserve(2)
    yield* Effect.forkScoped(account.spend(10))
    yield* as(untilWaiting(account, 1))
    const { engine } = memory.server
    engine.takeOutputs()
    const data = JSON.stringify(Checkpoint.save(engine.state))
    const load = (data: string, kind: Kind.Any = Account) =>
      Checkpoint.load({ kinds: engineKinds([kind]), limits: engine.state.limits }, JSON.parse(data))
    return { engine, data, load }
  })

  it.live("is loaded with its states, its holds and those that wait", () =>
    Effect.gen(function*() {
      const { data, engine, load } = yield* saved
      const loaded = load(data)
      assert.instanceOf(loaded, Engine)
      assert.strictEqual(StateHash.hash((loaded as Engine).state), StateHash.hash(engine.state))
    }))

  it.live("is refused if a state does not fit, or the kind is another one", () =>
    Effect.gen(function*() {
      const { data, load } = yield* saved
      assert.include(data, `{\\"balance\\":3,\\"reserved\\":2}`)
      const unfit = load(data.replace(`{\\"balance\\":3`, `{\\"balance\\":0.5`))
      assert.match((unfit as Malformed).reason, /state\.current does not decode: Expected an integer/)
      const Other = Kind.make(Account.name, {
        state: Account.state,
        initial: { balance: 0, reserved: 0 },
        operations: { clear: Kind.change() },
        transitions: { clear: (state) => Kind.done(state) }
      })
      assert.include(
        (load(data, Other) as Malformed).reason,
        "fingerprint is that of another definition of test/Account"
      )
    }))
})

describe("a kind", () => {
  const define = (name: string, payload: Kind.Plain) =>
    Kind.make(name, {
      state: Schema.Int,
      initial: 0,
      operations: { go: Kind.change({ payload }) },
      transitions: { go: (state) => Kind.done(state) }
    })
  const startWith = (...kinds: ReadonlyArray<Kind.Known>) =>
    Effect.scoped(Effect.provide(Effect.asVoid(Manager.Manager), Manager.layerMemoryWith({ kinds })))

  it.live("must be the same on both sides, also for the first that opens an object", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp(define("test/Kind", Schema.Int))
      const error = yield* Effect.flip(as(SharedObject.make(define("test/Kind", Schema.String), { name: "k" })))
      assert.strictEqual(error._tag, "SchemaMismatch")
      assert.include(error.message, "Int")
    }))

  it.live("that the other side has with one operation less is another kind", () =>
    Effect.gen(function*() {
      const More = Kind.make("test/Kind", {
        state: Schema.Int,
        initial: 0,
        operations: { go: Kind.change({ payload: Schema.Int }), stop: Kind.change() },
        transitions: { go: (state) => Kind.done(state), stop: (state) => Kind.done(state) }
      })
      const { as } = yield* setUp(define("test/Kind", Schema.Int))
      assert.strictEqual((yield* Effect.flip(as(SharedObject.make(More))))._tag, "SchemaMismatch")
    }))

  it.live("that the manager was not given is refused, with what to do", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp()
      const error = yield* Effect.flip(as(SharedObject.make(Account)))
      assert.include(error.message, "does not know the kind test/Account. Give it to the manager: kinds: [...]")
    }))

  it.live("may be given by several of its services, and is refused beside another of its name", () =>
    Effect.gen(function*() {
      class Checking extends SharedObject.Service<Checking>()("test/Checking", Account) {}
      yield* startWith(Savings, Checking, Account)
      for (const name of ["test/Account", "Queue", "Directory"]) {
        const error = yield* Effect.flip(startWith(Account, define(name, Schema.Int)))
        assert.include(error.message, `two kinds are named ${name}`)
      }
    }))

  it.live("has options on which all must agree, and a state that follows from them", () =>
    Effect.gen(function*() {
      const Tank = Kind.make("test/Tank", {
        state: Schema.Int,
        options: Schema.Struct({ level: Schema.Int }),
        initial: ({ level }) => {
          if (level < 0) throw new Error("a level below zero")
          return level * 1.5
        },
        operations: { level: Kind.read({ success: Schema.Int }) },
        transitions: { level: (level) => Kind.succeed(level) }
      })
      const { as } = yield* setUp(Tank)
      const make = (level: number) => as(SharedObject.make(Tank, { name: "tank", options: { level } }))
      assert.strictEqual(yield* (yield* make(4)).level, 6)
      assert.strictEqual((yield* Effect.flip(make(6)))._tag, "OptionsMismatch")
      for (
        const [level, issue] of [[-1, "a level below zero"], [1, "does not fit its schema"], [
          0.5,
          "does not encode"
        ]] as const
      ) {
        const error = yield* Effect.flip(as(SharedObject.make(Tank, { options: { level } })))
        assert.include(error.message, issue)
      }
    }))

  it("cannot have an operation with a name that all objects have", () => {
    for (const name of ["$state", "state", "toString", "toJSON"]) {
      const make = () =>
        Kind.make("test/Kind", {
          state: Schema.Int,
          initial: 0,
          operations: { [name]: Kind.change() },
          transitions: { [name]: (state: number) => Kind.done(state) }
        })
      assert.throws(make, `an operation cannot have the name ${name}`)
    }
  })
})
