/**
 * Every bad input fails with a typed error that names the object, the operation and the reason, and changes nothing.
 */
import type { queue as queueKind } from "#core/engine/kinds/queue.ts"
import type { ref as refKind } from "#core/engine/kinds/record.ts"
import { cell } from "#core/engine/Value.ts"
import * as Remote from "#core/proxy/Remote.ts"
import {
  Manager,
  SharedCondition,
  SharedLock,
  SharedMap,
  SharedNamespace,
  SharedOpenNamespace,
  SharedQueue,
  SharedRef,
  SharedSemaphore
} from "@effect-multiprocessing/core"
import type { ManagerErrorReason } from "@effect-multiprocessing/core/ManagerError"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Redacted, Schema, SchemaGetter, Scope, Stream } from "effect"
import * as Memory from "../support/Memory.ts"
import { timeless } from "../support/timeless.ts"

/** A client of a new manager. `as` makes a program use it. */
const setUp = (options: Memory.MemoryOptions = {}) =>
  Effect.gen(function*() {
    const memory = yield* Memory.make(options)
    const connected = yield* memory.connect()
    const as = Effect.provideService(Manager.Manager, connected.manager)
    return { memory, connected, as, ...connected }
  })

const withoutTimes = (objects: Manager.Inspection["objects"]) =>
  objects.map((object) => ({ ...object, holders: timeless(object.holders), waiters: timeless(object.waiters) }))

/** The error of an effect that must change nothing in the manager. */
const refused = <A, E, R>(manager: Manager.Manager["Service"], effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const before = yield* manager.inspect
    const error = yield* Effect.flip(effect)
    const { counts, index, objects } = yield* manager.inspect
    assert.deepStrictEqual({ counts, index, objects: withoutTimes(objects) }, {
      counts: before.counts,
      index: before.index,
      objects: withoutTimes(before.objects)
    })
    return error
  })

/** Checks that an error has this tag, or reason, and that its message contains all words. */
const says = (
  error: { readonly _tag: string; readonly message: string; readonly reason?: ManagerErrorReason },
  tag: ManagerErrorReason["_tag"] | "SchemaMismatch" | "OptionsMismatch" | "OutOfBounds" | "LeaseLost" | "FieldNotSet",
  ...words: ReadonlyArray<string>
) => {
  assert.strictEqual(error.reason?._tag ?? error._tag, tag)
  for (const word of words) assert.include(error.message, word)
}

describe("connecting with", () => {
  it.live("the wrong key is refused, and makes no session", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make()
      const error = yield* Effect.flip(memory.connect({ key: Redacted.make("another key") }))
      says(error, "HandshakeRefused", "the manager at memory", "key")
      assert.notInclude(error.message, "another key")
      assert.strictEqual(memory.server.engine.state.sessions.size, 0)
    }))

  it.live("the wrong key is refused by a server of this process in the same words", () =>
    Effect.gen(function*() {
      const server = yield* Manager.makeServer({ key: Memory.key })
      const error = yield* Effect.flip(Manager.makeLocal(server, Redacted.make("another key")))
      says(error, "HandshakeRefused", "the manager at memory", "key")
    }).pipe(Effect.provide(Manager.layerCrypto)))

  it.live("one session too many is refused", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make({ limits: { sessionsMax: 1 } })
      yield* memory.connect()
      says(yield* Effect.flip(memory.connect()), "HandshakeRefused", "sessionsMax")
    }))
})

describe("opening with", () => {
  it.live("other items fails with both schemas (S-26, S-27)", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const name = "app/Jobs"
      yield* as(SharedQueue.make({ name, item: Schema.Int }))
      const error = yield* refused(manager, as(SharedQueue.make({ name, item: Schema.String })))
      says(error, "SchemaMismatch", `"app/Jobs"`, "Number", "String", "different names")
    }))

  it.live("another kind fails with both kinds", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      yield* as(SharedQueue.make({ name: "name", item: Schema.Int }))
      const error = yield* refused(manager, as(SharedLock.make({ name: "name" })))
      says(error, "SchemaMismatch", `"name"`, "Queue", "Lock")
    }))

  it.live("other options fails with both, also when a capacity is infinite", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const open = (capacity: number) => as(SharedQueue.make({ name: "name", item: Schema.Int, capacity }))
      yield* open(5)
      const error = yield* refused(manager, open(6))
      says(error, "OptionsMismatch", `"name"`, "capacity 5", "capacity 6")
      assert.notInclude(error.message, "attempts")
      says(yield* refused(manager, open(Infinity)), "OptionsMismatch", "capacity 5", "capacity Infinity")
      const bounded = as(SharedQueue.make({ name: "name", item: Schema.Int, capacity: 5, holdFor: "5 seconds" }))
      says(yield* refused(manager, bounded), "OptionsMismatch", "opened without, not with holdFor 5000")
    }))

  it.live("a capacity below one, no attempts, or an unknown strategy is refused by name and number", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const open = (options: Omit<SharedQueue.Options<typeof Schema.Int>, "item">) =>
        refused(manager, as(SharedQueue.make({ item: Schema.Int, ...options })))
      says(yield* open({ capacity: -1 }), "InvalidRequest", "open", "a new Queue", "capacity", "-1")
      says(yield* open({ capacity: 0 }), "InvalidRequest", "capacity", "0")
      says(yield* open({ capacity: NaN }), "InvalidRequest", "capacity", "NaN")
      says(yield* open({ attempts: 0 }), "InvalidRequest", "attempts", "0")
      says(yield* open({ deadLetterCapacity: 0 }), "InvalidRequest", "deadLetterCapacity", "0")
      const nonsense = "nonsense" as "sliding"
      says(yield* open({ deadLetterStrategy: nonsense }), "InvalidRequest", "sliding or suspend", nonsense)
    }))

  it.live("an empty name is refused: all that forgot a name would share one object", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const error = yield* refused(manager, as(SharedLock.make({ name: "" })))
      says(error, "InvalidRequest", "open", `Lock ""`, "its name is empty", "leave it out")
    }))

  it.live("a name that is too long is refused with the limit", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const error = yield* refused(manager, as(SharedLock.make({ name: "x".repeat(513) })))
      says(error, "LimitExceeded", "nameLengthMax = 512", "had no effect")
    }))

  it.live("a first value that does not encode is refused before anything is sent", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const error = yield* refused(manager, as(SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0.5 })))
      says(error, "ValueNotEncoded", `Ref "ref"`, "open", "Nothing was sent")
    }))
})

describe("a value that does not encode is refused before anything is sent, in", () => {
  const fails = (
    name: string,
    operation: string,
    use: Effect.Effect<unknown, unknown, Manager.Manager | Scope.Scope>
  ) =>
    it.live(`${name}`, () =>
      Effect.gen(function*() {
        const { as } = yield* setUp()
        const error = yield* Effect.flip(as(use))
        says(error as never, "ValueNotEncoded", operation, "does not encode", "Nothing was sent")
      }))

  fails("set", "set", Effect.flatMap(SharedRef.make({ schema: Schema.Int, initial: 0 }), (ref) => ref.set(0.5)))
  fails(
    "modify",
    "modify",
    Effect.flatMap(SharedRef.make({ schema: Schema.Int, initial: 0 }), (ref) => ref.update(() => 0.5))
  )
  fails("offer", "offer", Effect.flatMap(SharedQueue.make({ item: Schema.Int }), (queue) => queue.offer(NaN)))
  fails(
    "a map's key",
    "get",
    Effect.flatMap(SharedMap.make({ key: Schema.Int, value: Schema.Int }), (map) => map.get(0.5))
  )
  fails(
    "a map's value",
    "set",
    Effect.flatMap(SharedMap.make({ key: Schema.Int, value: Schema.Int }), (map) => map.set(1, 0.5))
  )
  fails(
    "a namespace's field",
    "set",
    Effect.flatMap(
      SharedNamespace.make({ fields: { n: Schema.Int }, initial: { n: 0 } }),
      (namespace) => namespace.set({ n: 0.5 })
    )
  )
})

describe("several values of which one does not encode are refused together, in", () => {
  it.live("offerAll and setAll", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const queue = yield* as(SharedQueue.make({ item: Schema.Int }))
      const map = yield* as(SharedMap.make({ key: Schema.Int, value: Schema.Int }))
      says(yield* refused(manager, queue.offerAll([1, 0.5])), "ValueNotEncoded", "offerAll", "Nothing was sent")
      says(yield* refused(manager, map.setAll([[1, 1], [2, 0.5]])), "ValueNotEncoded", "setAll", "Nothing was sent")
      says(yield* refused(manager, map.removeAll([1, 0.5])), "ValueNotEncoded", "removeAll", "Nothing was sent")
    }))
})

describe("a condition that can never be", () => {
  it.live("is refused: a size below zero, a number that is none", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const ref = yield* as(SharedRef.make({ schema: Schema.Int, initial: 0 }))
      const map = yield* as(SharedMap.make({ key: Schema.Int, value: Schema.Int }))
      says(yield* refused(manager, map.untilSizeAtLeast(-1)), "InvalidRequest", "untilSize", "a whole number from 0 up")
      says(yield* refused(manager, map.untilSizeAtMost(0.5)), "InvalidRequest", "untilSize", "a whole number from 0 up")
      says(yield* refused(manager, ref.untilAtLeast(NaN)), "InvalidRequest", "untilAtLeast", "a finite number")
      says(yield* refused(manager, ref.untilEquals(0.5)), "ValueNotEncoded", "untilEquals")
    }))
})

describe("adding to", () => {
  it.live("a number whose schema has a check of its own is refused, and says why and what to use", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const even = Schema.Int.check(Schema.makeFilter((n) => n % 2 === 0))
      const ref = yield* as(SharedRef.make({ name: "even", schema: even, initial: 0 }))
      const map = yield* as(SharedMap.make({ key: Schema.Int, value: even }))
      const why = ["checks that the manager cannot make", "use update or modify"] as const
      says(yield* refused(manager, ref.increment), "InvalidRequest", `add on Ref "even"`, ...why)
      says(yield* refused(manager, map.add(1, 2)), "InvalidRequest", "add on Map", ...why)
      assert.strictEqual(yield* ref.update((n) => n + 2), 2)
      assert.strictEqual(yield* ref.untilAtLeast(2), 2)
    }))
})

describe("a name that is not set", () => {
  it.live("fails to be read, with the namespace and the name", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const namespace = yield* as(SharedOpenNamespace.make({ name: "board", value: Schema.Int }))
      const error = yield* refused(manager, namespace.field("task1").get)
      says(error, "FieldNotSet", `OpenNamespace "board"`, `"task1"`)
    }))
})

describe("a value that does not decode", () => {
  const texts = ["\"text\"", "{", ""]

  it.live("fails get, changes and modify, and stays where it was", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const ref = yield* as(SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0 }))
      const raw = ref[Remote.TypeId] as Remote.Remote<typeof refKind>
      for (const text of texts) {
        yield* raw.call("set", ["value", cell(text)], () => Exit.void)
        for (const use of [ref.get, ref.update((n) => n), Effect.asVoid(Stream.runHead(ref.changes))]) {
          says(yield* refused(manager, use), "ValueNotDecoded", `Ref "ref"`, "does not decode", "safe in the manager")
        }
      }
    }))

  it.live("makes take and process fail, and the item a dead letter with the reason (S-19)", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp()
      const queue = yield* as(SharedQueue.make({ name: "queue", item: Schema.Int }))
      const raw = queue[Remote.TypeId] as Remote.Remote<typeof queueKind>
      for (const text of texts) {
        for (const use of [queue.take, queue.process(Effect.succeed), Effect.as(Effect.scoped(queue.takeLease), 0)]) {
          yield* raw.call("offer", [cell(text)], () => Exit.void)
          says(yield* Effect.flip(use), "ValueNotDecoded", `Queue "queue"`, "does not decode")
        }
      }
      yield* queue.offer(1)
      assert.strictEqual(yield* queue.take, 1, "it is never at the head again")
      const dead = yield* queue.deadLetters
      assert.strictEqual(dead.length, 9)
      for (const { item, reason } of dead) {
        assert.isTrue(Exit.isFailure(item))
        assert.isNotEmpty(reason)
      }
    }))

  it.live("becomes a dead letter also when its reason would not fit into a frame", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp({ limits: { frameBytesMax: 1_024 } })
      const item = Schema.String.check(Schema.makeFilter((text) => text.length <= 3 || "too long ".repeat(200)))
      const queue = yield* as(SharedQueue.make({ name: "queue", item }))
      const raw = queue[Remote.TypeId] as Remote.Remote<typeof queueKind>
      yield* raw.call("offer", [cell(JSON.stringify("x".repeat(900)))], () => Exit.void)
      says(yield* Effect.flip(queue.process(Effect.succeed)), "ValueNotDecoded")
      const inspected = yield* Effect.flatMap(Manager.Manager, ({ inspect }) => inspect).pipe(as)
      assert.strictEqual(inspected.counts.holders, 0)
      yield* queue.offer("a")
      assert.strictEqual(yield* queue.take, "a")
    }))
})

describe("what went in under the frame limit stays readable:", () => {
  it.live("a dead letter whose item and reason together are more than a frame", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp({ limits: { frameBytesMax: 1_024 } })
      const queue = yield* as(SharedQueue.make({ name: "queue", item: Schema.String, attempts: 1 }))
      const items: Array<string> = []
      for (let length = 880; length < 1_024; length++) {
        const item = "x".repeat(length)
        if (Exit.isFailure(yield* Effect.exit(queue.offer(item)))) continue
        items.push(item)
        yield* Effect.exit(queue.process(() => Effect.fail("no ".repeat(200))))
      }
      assert.isAbove(items.length, 10)
      const letters = yield* queue.deadLetters
      assert.deepStrictEqual(letters.map(({ item }) => item), items.map((item) => Exit.succeed(item)))
      for (const { reason } of letters) assert.include(reason, "no no no")
      for (const { retry } of letters) assert.isTrue(yield* retry)
      assert.deepStrictEqual(yield* Effect.forEach(items, () => queue.take), items)
    }))

  it.live("what is sent in one turn, small and large, in both directions", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp({ limits: { frameBytesMax: 1_024 } })
      const queue = yield* as(SharedQueue.make({ name: "queue", item: Schema.String }))
      const items = Array.from({ length: 200 }, (_, i) => `${i} ${"x".repeat(i % 20 === 19 ? 940 : 10)}`)
      yield* Effect.forEach(items, queue.offer, { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* Effect.all(items.map(() => queue.take), { concurrency: "unbounded" }), items)
    }))

  it.live("dead letters that together are more than a frame", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp({ limits: { frameBytesMax: 4_096 } })
      const queue = yield* as(SharedQueue.make({ name: "queue", item: Schema.String, attempts: 1 }))
      const items = Array.from({ length: 60 }, (_, i) => `${i} ${"x".repeat(i * 60)}`)
      yield* queue.offerAll(items)
      yield* Effect.forEach(items, () => Effect.exit(queue.process(() => Effect.fail("no"))))
      assert.deepStrictEqual(
        (yield* queue.deadLetters).map(({ item }) => item),
        items.map((item) => Exit.succeed(item))
      )
    }))

  it.live("the reason of a failure, cut in the middle of a character", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp()
      const queue = yield* as(SharedQueue.make({ name: "queue", item: Schema.Int, attempts: 1 }))
      yield* queue.offer(1)
      yield* Effect.scoped(Effect.flatMap(queue.takeLease, ({ nack }) => nack(`${"x".repeat(499)}🙂`)))
      const [letter] = yield* queue.deadLetters
      assert.strictEqual(letter!.reason, `${"x".repeat(499)}\uFFFD`)
    }))
})

describe("a value that is too large", () => {
  it.live("is refused with the limit, and nothing is sent", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp({ limits: { frameBytesMax: 4_096 } })
      const queue = yield* as(SharedQueue.make({ name: "queue", item: Schema.String }))
      const error = yield* refused(manager, queue.offer("x".repeat(5_000)))
      says(error, "LimitExceeded", `offer on Queue "queue"`, "frameBytesMax = 4096", "limits.frameBytesMax")
    }))

  it.live("cannot be offered if it could not be leased", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp({ limits: { frameBytesMax: 1_024 } })
      const queue = yield* as(SharedQueue.make({ item: Schema.String }))
      let refusals = 0
      for (let length = 940; length < 1_024; length++) {
        const offered = yield* Effect.exit(queue.offer("x".repeat(length)))
        if (Exit.isFailure(offered)) refusals++
        else assert.strictEqual(yield* queue.process(({ length }) => Effect.succeed(length)), length)
      }
      assert.isAbove(refusals, 0)
      assert.strictEqual((yield* manager.inspect).counts.holders, 0)
    }))

  it.live("as a snapshot fails the watcher with the limit, and leaves no watcher", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp({ limits: { frameBytesMax: 4_096 } })
      const map = yield* as(SharedMap.make({ key: Schema.Int, value: Schema.String }))
      for (const key of [1, 2, 3]) yield* map.set(key, "x".repeat(2_000))
      says(yield* refused(manager, map.entries), "LimitExceeded", "frameBytesMax")
      says(yield* refused(manager, Stream.runHead(map.changes)), "LimitExceeded", "frameBytesMax")
      assert.strictEqual((yield* manager.inspect).objects[0]!.watchers, 0)
    }))
})

describe("using", () => {
  it.live("an object whose scope has closed fails: it does not exist any more", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp()
      const queue = yield* Effect.scoped(as(SharedQueue.make({ item: Schema.Int })))
      says(yield* Effect.flip(queue.offer(1)), "ObjectNotFound", "offer on", "no longer exists")
      says(yield* Effect.flip(queue.take), "ObjectNotFound", "take")
    }))

  it.live("the handle of an object that is gone is refused, and the value not stored", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const gone = yield* Effect.scoped(as(SharedLock.make()))
      const queue = yield* as(SharedQueue.make({ item: SharedLock.schema }))
      says(yield* refused(manager, queue.offer(gone)), "ObjectNotFound", "offer", "handle")
    }))

  it.live("the handle of another manager is refused before anything is sent (S-5)", () =>
    Effect.gen(function*() {
      const [here, there] = [yield* setUp(), yield* setUp()]
      const foreign = yield* there.as(SharedLock.make({ name: "there" }))
      const queue = yield* here.as(SharedQueue.make({ item: SharedLock.schema }))
      const error = yield* refused(here.manager, queue.offer(foreign))
      says(error, "CrossSpace", "offer", "another manager")
    }))

  it.live("a lease that was settled fails: it is not held any more", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const queue = yield* as(SharedQueue.make({ item: Schema.Int }))
      yield* queue.offer(1)
      const lease = yield* queue.takeLease
      yield* lease.ack
      says(yield* refused(manager, lease.ack), "LeaseLost", "is not held")
      says(yield* refused(manager, lease.nack("no")), "LeaseLost", "is not held")
    }))

  it.live("a lease of another client is refused (R-2)", () =>
    Effect.gen(function*() {
      const { as, manager, memory } = yield* setUp()
      const queue = yield* as(SharedQueue.make({ name: "queue", item: Schema.Int }))
      yield* queue.offer(1)
      yield* queue.takeLease
      const stranger = yield* memory.connect()
      const theirs = yield* Effect.provideService(
        SharedQueue.make({ name: "queue", item: Schema.Int }),
        Manager.Manager,
        stranger.manager
      )
      const { token } = (yield* manager.inspect).objects[0]!.holders[0]!
      const raw = theirs[Remote.TypeId] as Remote.Remote<typeof queueKind>
      says(yield* refused(manager, raw.call("ack", [token], () => Exit.void)), "InvalidRequest", "ack", "NotHeld")
    }))

  it.live("arithmetic beyond the schema's bounds fails, and the number is unchanged (S-25)", () =>
    Effect.gen(function*() {
      const { as, manager } = yield* setUp()
      const schema = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))
      const ref = yield* as(SharedRef.make({ name: "ref", schema, initial: 0 }))
      says(yield* refused(manager, ref.add(4)), "OutOfBounds", `Ref "ref"`, "4", "unchanged")
      says(yield* refused(manager, ref.add(0.5)), "OutOfBounds", "0.5")
      assert.strictEqual(yield* ref.add(3), 3)
    }))
})

describe("a number of permits or of waiters", () => {
  it.live("that is invalid is refused by name, and nothing is taken or woken", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp()
      const semaphore = yield* as(SharedSemaphore.make({ permits: 2 }))
      const condition = yield* as(SharedCondition.make())
      for (const n of [-1, 0.5, NaN, Infinity]) {
        const uses = [
          semaphore.withPermits(n)(Effect.void),
          semaphore.withPermitsIfAvailable(n)(Effect.void),
          condition.withLock(condition.notify(n))
        ]
        for (const use of uses) {
          const error = yield* Effect.flip(use as Effect.Effect<unknown, never>)
          says(error, "InvalidRequest", "a whole number from 0 up", "no effect")
        }
      }
      assert.strictEqual(yield* semaphore.available, 2)
      assert.isFalse(yield* condition.isHeld)
      assert.strictEqual(yield* semaphore.withPermits(0)(Effect.succeed(1)), 1)
    }))
})

describe("once the manager's scope has closed", () => {
  it.live("every call and every stream fails at once as not executed (S-7)", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make()
      const scope = yield* Scope.make()
      const { manager } = yield* Scope.provide(memory.connect(), scope)
      const as = Effect.provideService(Manager.Manager, manager)
      const queue = yield* as(SharedQueue.make({ name: "queue", item: Schema.Int }))
      const ref = yield* as(SharedRef.make({ schema: Schema.Int, initial: 0 }))
      const lock = yield* as(SharedLock.make())
      yield* Scope.close(scope, Exit.void)
      const uses = [
        queue.offer(1),
        queue.take,
        queue.process(Effect.succeed),
        Effect.scoped(queue.takeLease),
        ref.get,
        ref.modify((n) => [n, n]),
        Stream.runHead(ref.changes),
        lock.withLock(Effect.void),
        as(Effect.scoped(SharedLock.make())),
        manager.inspect
      ]
      for (const use of uses) {
        says(
          yield* Effect.flip(use as Effect.Effect<unknown, never>),
          "NotExecuted",
          "no effect",
          "scope of this manager"
        )
      }
      says(yield* Effect.flip(queue.take), "NotExecuted", "take", `Queue "queue"`)
    }))
})

describe("when the manager is gone", () => {
  const lost = (name: string, end: (memory: Memory.Memory, cut: (reason: string) => void) => Effect.Effect<void>) =>
    it.live(`${name}: each pending call fails at once, says which it was, and so does each later one (S-7)`, () =>
      Effect.gen(function*() {
        const { as, cut, manager, memory } = yield* setUp()
        const queue = yield* as(SharedQueue.make({ name: "queue", item: Schema.Int }))
        const ref = yield* as(SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0 }))
        const lock = yield* as(SharedLock.make({ name: "lock" }))
        const held = yield* Effect.forkChild(lock.withLock(Effect.never))
        yield* Memory.until("the lock is held", () => memory.server.engine.state.counts.holders === 1)
        const waiting = yield* Effect.forEach(
          [queue.take, queue.process(Effect.succeed), ref.until((n) => n > 0)],
          (use) => Effect.forkChild(use as Effect.Effect<unknown, never>)
        )
        yield* Memory.until("all of them wait", () =>
          [...memory.server.engine.state.objects.values()].reduce(
            (sum, { waiting, watchers }) => sum + waiting + watchers.size,
            0
          ) === 3)
        yield* end(memory, cut)
        const errors = yield* Effect.forEach(waiting, (fiber) => Effect.flip(Fiber.join(fiber)))
        says(errors[0]!, "OutcomeUnknown", "take", `Queue "queue"`, "read the state before you repeat it")
        says(errors[1]!, "OutcomeUnknown", "takeLease", `Queue "queue"`)
        says(errors[2]!, "NotExecuted", "changes", `Ref "ref"`)
        const loss = yield* Effect.flip(Fiber.join(held))
        assert.strictEqual(loss._tag, "LockLost")
        says(yield* Effect.flip(queue.offer(1)), "NotExecuted", "offer")
        assert.strictEqual(manager.connection.pending, 0)
      }))

  lost("its link cut", (_, cut) => Effect.sync(() => cut("pulled")))
  lost("shut down", ({ server }) => server.close)

  it.live("a call that was not sent yet is not executed", () =>
    Effect.gen(function*() {
      const { as, cut } = yield* setUp({ limits: { inFlightMax: 1 } })
      const ref = yield* as(SharedRef.make({ schema: Schema.Int, initial: 0 }))
      const fibers = yield* Effect.forEach([1, 2], (n) => Effect.forkChild(ref.set(n), { startImmediately: true }))
      cut("pulled")
      const reasons = yield* Effect.forEach(fibers, (fiber) =>
        Effect.map(Effect.flip(Fiber.join(fiber)), ({ reason }) => reason._tag))
      assert.deepStrictEqual(reasons, ["OutcomeUnknown", "NotExecuted"])
    }))
})

describe("two managers in one program", () => {
  it.live("a lock of one does not stand over calls to the other (S-21)", () =>
    Effect.gen(function*() {
      const [here, there] = [yield* setUp(), yield* setUp()]
      const lock = yield* here.as(SharedLock.make())
      const other = yield* there.as(SharedLock.make())
      const ref = yield* there.as(SharedRef.make({ schema: Schema.Int, initial: 0 }))
      const sum = yield* lock.withLock(Effect.andThen(ref.increment, other.withLock(ref.increment)))
      assert.strictEqual(sum, 2)
    }))
})

describe("a defect", () => {
  it.live("of a codec is the defect of the reader, and the connection continues", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp()
      const broken = Schema.Int.pipe(Schema.decode({
        decode: SchemaGetter.transform((): number => {
          throw new Error("in the codec")
        }),
        encode: SchemaGetter.transform((n: number) => n)
      }))
      const ref = yield* as(SharedRef.make({ schema: broken, initial: 0 }))
      const queue = yield* as(SharedQueue.make({ item: broken }))
      yield* queue.offer(1)
      for (const use of [ref.get, Stream.runHead(ref.changes), queue.take]) {
        const exit = yield* Effect.exit(use as Effect.Effect<unknown, unknown>)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      }
      assert.strictEqual(yield* queue.size, 0)
    }))

  it.live("of a program is its own, and the manager continues", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp()
      const ref = yield* as(SharedRef.make({ schema: Schema.Int, initial: 0 }))
      const exit = yield* Effect.exit(ref.modify((): readonly [number, number] => {
        throw new Error("in f")
      }))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.strictEqual(yield* ref.increment, 1)
    }))
})
