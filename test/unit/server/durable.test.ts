/** A manager with a log: nothing leaves it before it is in the log, and the next manager goes on from there. */
import * as Checkpoint from "#core/engine/Checkpoint.ts"
import type { EngineState } from "#core/engine/State.ts"
import { engineVersion } from "#core/engine/version.ts"
import { recover } from "#core/server/recover.ts"
import { Random } from "#core/testing/Random.ts"
import {
  type Log,
  Manager,
  ManagerError,
  SharedLock,
  SharedMap,
  SharedQueue,
  SharedRef
} from "@effect-multiprocessing/core"
import * as Limits from "@effect-multiprocessing/core/Limits"
import { type LogFault, type LogOperation, makeMemoryLog } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Logger,
  Option,
  Redacted,
  References,
  Schedule,
  Schema,
  Scope,
  Stream
} from "effect"
import { budget } from "../../support/budget.ts"
import * as Memory from "../../support/Memory.ts"

type Service = Log.Log["Service"]

const { realm } = Memory.leading

/** A log, and the fault of each of its operations. */
const faulty = () => {
  const faults = new Map<LogOperation, LogFault>()
  return { faults, log: makeMemoryLog({ fault: (operation) => faults.get(operation) }) }
}

/** A manager on a log with a client, until the end of the test or `close`. */
const start = Effect.fnUntraced(function*(log: Service, options: Memory.MemoryOptions = {}) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const memory = yield* Memory.make({ log, ...options }).pipe(
    Scope.provide(scope),
    // The warnings are of faults.
    Effect.provideService(References.MinimumLogLevel, "Error")
  )
  const { manager } = yield* Scope.provide(memory.connect(), scope)
  const use = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideService(effect, Manager.Manager, manager)
  const { engine } = memory.server
  return { memory, engine, state: engine.state, scope, use, close: Scope.close(scope, Exit.void) }
})

const entries = (log: Service) => Effect.map(Stream.runCollect(log.read(realm, 0)), ({ length }) => length)

const number = { name: "number", schema: Schema.Int, initial: 0 }
const map = { name: "map", key: Schema.String, value: Schema.Int }
const queue = { name: "queue", item: Schema.Int }

/** Lets everything happen that can happen now. */
const turns = Effect.forEach(Array.from({ length: 100 }), () => Effect.yieldNow, { discard: true })

/** All that a manager is, without the epoch of its leader. */
const saved = (state: EngineState) => JSON.stringify(Checkpoint.save({ ...state, epoch: 0 }))

describe("a manager with a log", () => {
  it.live("goes on where the one before it has stopped, and its tokens grow", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      const tokens: Array<readonly [epoch: number, index: number]> = []
      const session = Effect.gen(function*() {
        const ref = yield* SharedRef.make(number)
        const entries = yield* SharedMap.make(map)
        const jobs = yield* SharedQueue.make(queue)
        const lock = yield* SharedLock.make({ name: "lock" })
        yield* lock.withHold(({ epoch, token }) => Effect.sync(() => tokens.push([epoch, token])))
        yield* ref.update((n) => n + 1)
        const value = yield* ref.get
        yield* entries.set(`run ${value}`, value)
        yield* jobs.offer(value)
        // It dies with an item.
        const taken = yield* jobs.process(Effect.succeed)
        yield* jobs.offer(taken)
        return [value, yield* entries.size, yield* jobs.size] as const
      }).pipe(Effect.scoped)
      for (let run = 1; run <= 3; run++) {
        const { close, use } = yield* start(log)
        assert.deepStrictEqual(yield* use(session), [run, run, run])
        yield* close
      }
      assert.isTrue(
        tokens.every(([epoch, index], i) => i === 0 || epoch > tokens[i - 1]![0] && index > tokens[i - 1]![1])
      )
    }))

  it.live("has the state of the one before it, after any calls, under its own limits (I1)", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= budget(3); seed++) {
        const random = new Random(seed)
        const log = makeMemoryLog()
        for (let run = 0; run < 4; run++) {
          const limits = { ...Limits.defaults, waitersPerObjectMax: random.pick([1, 100]) }
          const { close, state, use } = yield* start(log, { limits, compactAfter: random.pick([1, 20, Infinity]) })
          yield* use(Effect.scoped(Effect.gen(function*() {
            const ref = yield* SharedRef.make(number)
            const entries = yield* SharedMap.make(map)
            const jobs = yield* SharedQueue.make(queue)
            for (let call = random.below(30); call > 0; call--) {
              yield* random.pick<Effect.Effect<unknown, unknown>>([
                ref.set(random.below(10)),
                entries.set(String(random.below(5)), call),
                entries.remove(String(random.below(5))),
                jobs.offer(call),
                Effect.timeoutOption(jobs.take, "1 millis"),
                SharedRef.make({ ...number, name: `number ${random.below(5)}` }).pipe(
                  Effect.provideService(Manager.Manager, yield* Manager.Manager),
                  Effect.scoped
                )
              ])
            }
          })))
          yield* close
          const { engine } = yield* Effect.scoped(
            recover({ ...Memory.leading, instance: "", kinds: [...state.kinds.values()].slice(1), limits, log })
          )
          assert.strictEqual(saved(engine.state), saved(state), `seed ${seed}`)
        }
      }
    }))

  it.live("tells nobody of anything that is not in the log yet (S-3)", () =>
    Effect.gen(function*() {
      const { faults, log } = faulty()
      const { memory, state, use } = yield* start(log)
      const { manager } = yield* memory.connect()
      const written = yield* use(SharedRef.make(number))
      const read = yield* Effect.provideService(SharedRef.make(number), Manager.Manager, manager)
      faults.set("append", "unavailable")
      const { index } = state
      const set = yield* Effect.forkChild(written.set(1), { startImmediately: true })
      yield* Memory.until("it is set", () => state.index > index)
      const get = yield* Effect.forkChild(read.get, { startImmediately: true })
      yield* turns
      assert.deepStrictEqual([set, get].map((fiber) => fiber.pollUnsafe()), [undefined, undefined])
      faults.delete("append")
      yield* Fiber.join(set)
      assert.strictEqual(yield* Fiber.join(get), 1)
    }))

  it.live("makes an append once whose answer was lost", () =>
    Effect.gen(function*() {
      const { faults, log } = faulty()
      const { close, use } = yield* start(log)
      yield* use(Effect.scoped(Effect.gen(function*() {
        const ref = yield* SharedRef.make(number)
        faults.set("append", "unknown")
        const setting = yield* Effect.forkChild(ref.update((n) => n + 1))
        yield* turns
        faults.delete("append")
        yield* Fiber.join(setting)
      })))
      yield* close
      const next = yield* start(log)
      assert.strictEqual(yield* next.use(Effect.scoped(Effect.flatMap(SharedRef.make(number), ({ get }) => get))), 1)
    }))

  it.live("confirms its reads, and does not write them", () =>
    Effect.gen(function*() {
      const { faults, log } = faulty()
      const { use } = yield* start(log)
      const ref = yield* use(SharedRef.make(number))
      yield* ref.set(1)
      yield* turns
      const before = yield* entries(log)
      for (let i = 0; i < 10; i++) assert.strictEqual(yield* ref.get, 1)
      assert.strictEqual(yield* entries(log), before)
      faults.set("confirm", "unavailable")
      const get = yield* Effect.forkChild(ref.get, { startImmediately: true })
      yield* turns
      assert.isUndefined(get.pollUnsafe())
      faults.delete("confirm")
      assert.strictEqual(yield* Fiber.join(get), 1)
    }))

  it.live("stops when another one leads: nothing that it did then is there, and it closes its links", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      const old = yield* start(log)
      const lock = yield* old.use(SharedLock.make({ name: "lock" }))
      const ref = yield* old.use(SharedRef.make(number))
      const holding = yield* Effect.forkChild(lock.withLock(Effect.andThen(ref.set(1), Effect.never)))
      yield* Memory.until("it is set", () => old.state.counts.holders === 1)
      yield* Effect.repeat(ref.get, { until: (n) => n === 1 })
      const next = yield* start(log)
      // The sessions of the old one have ended: the lock is free.
      yield* next.use(
        Effect.scoped(Effect.flatMap(SharedLock.make({ name: "lock" }), ({ withLock }) => withLock(Effect.void)))
      )
      for (const call of [ref.set(2), ref.get]) {
        assert.include((yield* Effect.flip(call)).message, "the server has ended it")
      }
      assert.isTrue(Exit.isFailure(yield* Fiber.await(holding)))
      assert.strictEqual(yield* next.use(Effect.scoped(Effect.flatMap(SharedRef.make(number), ({ get }) => get))), 1)
    }))

  it.live("tells nobody what was there before another one led: no read is answered without the log", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      const old = yield* start(log)
      const ref = yield* old.use(SharedRef.make(number))
      // Nothing is left to write with the next read.
      assert.strictEqual(yield* ref.get, 0)
      const next = yield* start(log)
      yield* next.use(Effect.scoped(Effect.flatMap(SharedRef.make(number), ({ set }) => set(1))))
      assert.include((yield* Effect.flip(ref.get)).message, "the server has ended it")
    }))

  it.live("is resumed by the sessions of the one before it: holds are held, and calls go on waiting (S-6)", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      let { memory } = yield* start(log)
      const client = yield* memory.connect({ reconnect: { grace: 60_000 }, dial: (options) => memory.dial(options) })
      const as = Effect.provideService(Manager.Manager, client.manager)
      const lock = yield* as(SharedLock.make({ name: "lock" }))
      const jobs = yield* as(SharedQueue.make(queue))
      const ref = yield* as(SharedRef.make(number))
      const released = yield* Deferred.make<void>()
      const holding = yield* Effect.forkChild(
        lock.withLock(Effect.andThen(Deferred.await(released), ref.update((n) => n + 1)))
      )
      const taking = yield* Effect.forkChild(jobs.take)
      const { state } = memory.server.engine
      yield* Memory.until("it holds and waits", () => state.counts.holders === 1 && state.counts.waiters === 1)
      // And both are in the log.
      yield* turns
      client.reach(false)
      client.cut("the manager has died")
      const next = yield* start(log)
      assert.deepStrictEqual(next.state.counts, { holders: 1, waiters: 1 })
      memory = next.memory
      client.reach(true)
      yield* next.use(Effect.scoped(Effect.flatMap(SharedQueue.make(queue), (jobs) => jobs.offer(7))))
      assert.strictEqual(yield* Fiber.join(taking), 7)
      Deferred.doneUnsafe(released, Effect.void)
      yield* Fiber.join(holding)
      assert.strictEqual(yield* ref.get, 1)
    }))

  it.live("does not write an input whose step throws: the next manager begins without it", () =>
    Effect.gen(function*() {
      const { faults, log } = faulty()
      const { engine, use } = yield* start(log)
      const ref = yield* use(SharedRef.make(number))
      // One append is under way, and a turn waits for the next.
      faults.set("append", "unavailable")
      for (const n of [1, 2]) {
        const { index } = engine.state
        yield* Effect.forkChild(Effect.ignore(ref.set(n)), { startImmediately: true })
        yield* Memory.until("it is set", () => engine.state.index > index)
        yield* turns
      }
      const step = engine.step.bind(engine)
      engine.step = (input) => {
        step(input)
        if (input._tag === "Request") throw new Error("a bug of a kind")
      }
      assert.include((yield* Effect.flip(ref.set(3))).message, "a bug of a kind")
      const before = yield* entries(log)
      faults.clear()
      yield* Effect.repeat(entries(log), { until: (count) => count > before, schedule: Schedule.spaced("5 millis") })
      yield* turns
      const next = yield* start(log)
      const found = yield* next.use(Effect.scoped(Effect.flatMap(SharedRef.make(number), ({ get }) => get)))
      assert.isBelow(found, 3)
    }))
})

describe("a defect of the log", () => {
  /** A log whose leader's operation dies from a time on. */
  const dying = (operation: "append" | "confirm") => {
    const log = makeMemoryLog()
    const broken = { is: false }
    const die = Effect.die(new Error("a bug of the log"))
    const claim: Service["claim"] = (...args) =>
      Effect.map(
        log.claim(...args),
        Option.map((leadership) => ({
          ...leadership,
          append: (after: number, bytes: Uint8Array) =>
            broken.is && operation === "append" ? die : leadership.append(after, bytes),
          confirm: Effect.suspend(() => broken.is && operation === "confirm" ? die : leadership.confirm)
        }))
      )
    return { broken, log: { ...log, claim } }
  }

  for (const operation of ["append", "confirm"] as const) {
    it.live(`in ${operation} stops the manager, which tells its clients: none waits for ever`, () =>
      Effect.gen(function*() {
        const { broken, log } = dying(operation)
        const { memory, use } = yield* start(log)
        const ref = yield* use(SharedRef.make(number))
        // What acknowledges that it was made is in the log, too.
        yield* ref.get
        yield* ref.get
        broken.is = true
        const error = yield* Effect.flip(operation === "append" ? ref.set(1) : ref.get)
        assert.include(error.message, "the manager has stopped because of a defect (Error: a bug of the log)")
        assert.isTrue(Exit.hasDies(yield* Effect.exit(memory.server.awaitDefect)))
      }).pipe(Effect.scoped))
  }
})

it.live("a manager begins though no snapshot can be made: the log has all entries", () =>
  Effect.gen(function*() {
    const log = makeMemoryLog()
    const logged: Array<string> = []
    const putSnapshot = () => Effect.die(new Error("a bug of the snapshot"))
    for (const expected of [0, 1]) {
      const { close, use } = yield* start({ ...log, putSnapshot }, { compactAfter: 1 }).pipe(
        Effect.provide(Logger.layer([Logger.make(({ cause, message }) => logged.push(message + Cause.pretty(cause)))]))
      )
      const ref = yield* use(SharedRef.make(number))
      assert.strictEqual(yield* ref.get, expected)
      yield* ref.increment
      yield* close
    }
    assert.lengthOf(logged, 1)
    assert.match(logged[0]!, /No snapshot was made, so the log of ".+" grows.*a bug of the snapshot/s)
  }).pipe(Effect.scoped))

describe("a manager does not begin", () => {
  const append = Effect.fnUntraced(function*(log: Service, bytes: Uint8Array) {
    const claimed = yield* log.claim(realm, yield* log.head(realm), Memory.leading.leader)
    const { append, position } = Option.getOrThrow(claimed)
    yield* append(position, bytes)
  })

  const begin = (log: Service) =>
    Effect.scoped(recover({ ...Memory.leading, instance: "", kinds: [], limits: Limits.defaults, log }))

  it.live("if an entry cannot be read, or is of another version of the engine", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      yield* append(log, Uint8Array.of(1, 1, 3, 7))
      assert.strictEqual((yield* Effect.flip(begin(log)))._tag, "LogDamaged")
      const other = makeMemoryLog()
      yield* append(other, Uint8Array.of(2, 200, 0))
      const error = yield* Effect.flip(begin(other))
      assert.strictEqual(error._tag, "LogNotOpened")
      assert.include(error.message, "entry 1 was written by version 200 of the engine")
    }))

  it.live("if an input may have more bytes than an entry, which would stop it later", () =>
    Effect.gen(function*() {
      const key = Redacted.make("the key of this test")
      const log = makeMemoryLog()
      const limits = { frameBytesMax: log.entryBytesMax / 2 + 1 }
      const options = { key, limits, realm: "realm" }
      for (
        const error of [
          yield* Effect.flip(Manager.makeDurableServer({ ...options, log: { ...Memory.leading, log } })),
          yield* Effect.flip(Manager.makeCandidate({ ...options, log, lease: "1 second" }))
        ]
      ) {
        assert.instanceOf(error.reason, ManagerError.StartFailed)
        assert.include(error.message, `limits.frameBytesMax must be at most ${log.entryBytesMax / 2} with this log`)
      }
    }).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto)))

  it.live("if the same inputs lead elsewhere now", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      // No inputs, and index 5.
      yield* append(log, Uint8Array.of(1, engineVersion, 12, 0, 0, 5))
      const error = yield* Effect.flip(begin(log))
      assert.include(error.message, "entry 1 led to index 5, and now leads to index 0")
    }))

  it.live("if its snapshot is none", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      yield* append(log, Uint8Array.of(2, 1, 0))
      yield* log.putSnapshot(realm, { position: 1, epoch: 1, engineVersion, bytes: Stream.make(Uint8Array.of(1)) })
      assert.include((yield* Effect.flip(begin(log))).message, "its snapshot cannot be read")
    }))
})
