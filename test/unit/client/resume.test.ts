/** Sessions that go on over another link when theirs is lost (S-6, S-7). */
import type { Status } from "#core/client/Status.ts"
import * as Handshake from "#core/protocol/Handshake.ts"
import { Manager, SharedLock, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { defaults } from "@effect-multiprocessing/core/Limits"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Option, Redacted, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Holdable, Lossy } from "../../support/links.ts"
import * as Memory from "../../support/Memory.ts"
import * as raw from "../../support/raw.ts"

const grace = 8_000

const secret = "a secret of more than thirty-two letters"

/** A client with a grace over links that may lose what they carry, and another client without one. */
const setUp = Effect.gen(function*() {
  const memory = yield* Memory.make()
  const lossy = new Lossy()
  const held = new Holdable()
  const connected = yield* memory.connect({ client: lossy.wrap, server: held.wrap, reconnect: { grace } })
  const other = yield* memory.connect({ name: "other" })
  const as = Effect.provideService(Manager.Manager, connected.manager)
  const asOther = Effect.provideService(Manager.Manager, other.manager)
  const { state } = memory.server.engine
  const statuses: Array<Status["_tag"]> = []
  yield* Effect.forkChild(
    Stream.runForEach(connected.manager.status, ({ _tag }) => Effect.sync(() => statuses.push(_tag)))
  )
  yield* Memory.until("the status is read", () => statuses.length === 1)
  const { session } = connected.manager.connection.agreement
  return {
    memory,
    connected,
    lossy,
    held,
    as,
    asOther,
    state,
    statuses,
    session: () => state.sessions.get(session),
    /** Loses the link. Returns when the server and the client have noticed it. */
    lose: Effect.gen(function*() {
      connected.reach(false)
      connected.cut("pulled")
      lossy.losesSent = lossy.losesHeard = false
      yield* Memory.until("the server knows", () => state.sessions.get(session)?.deadline !== undefined)
      yield* Memory.until("the client knows", () => statuses.at(-1) === "Reconnecting")
    }),
    /** Lets the client have another link. */
    relink: Effect.gen(function*() {
      connected.reach(true)
      yield* TestClock.adjust(1_000)
      yield* Memory.until("it is connected", () => statuses.at(-1) === "Connected")
    })
  }
})

const openRef = SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0 })
const openQueue = SharedQueue.make({ name: "queue", item: Schema.Int })
const openLock = SharedLock.make({ name: "lock" })

describe("a session that loses its link", () => {
  it.effect("carries out a call once whose reply was lost, and returns the reply", () =>
    Effect.gen(function*() {
      const { as, asOther, lose, lossy, relink, state } = yield* setUp
      const [ref, its] = [yield* as(openRef), yield* asOther(openRef)]
      const { index } = state
      lossy.losesHeard = true
      const call = yield* Effect.forkChild(ref.add(1), { startImmediately: true })
      const added = yield* Effect.forkChild(ref.increment, { startImmediately: true })
      yield* Memory.until("it was carried out", () => state.index > index)
      yield* lose
      yield* relink
      yield* Fiber.join(added)
      yield* Fiber.join(call)
      assert.strictEqual(yield* its.get, 2)
    }))

  it.effect("is shown with the time until it ends, and its role", () =>
    Effect.gen(function*() {
      const { asOther, lose, relink, session } = yield* setUp
      const row = asOther(Effect.flatMap(Manager.Manager, ({ sessions }) =>
        Effect.map(Stream.runHead(sessions), (first) => {
          const { endsInMs, id, role } = Option.getOrThrow(first)
          return { endsInMs, isOwn: id === session()!.id, role }
        })))
      assert.deepStrictEqual(yield* row, { endsInMs: null, isOwn: true, role: "owner" })
      yield* lose
      yield* TestClock.adjust(500)
      assert.deepStrictEqual(yield* row, { endsInMs: grace - 500, isOwn: true, role: "owner" })
      yield* relink
      assert.strictEqual((yield* row).endsInMs, null)
    }))

  it.effect("carries out a call that the manager never got, and those that are made without a link, in order", () =>
    Effect.gen(function*() {
      const { as, lose, lossy, relink } = yield* setUp
      const queue = yield* as(openQueue)
      const offer = (item: number) => Effect.forkChild(queue.offer(item), { startImmediately: true })
      lossy.losesSent = true
      const lost = yield* offer(1)
      yield* Effect.yieldNow
      yield* lose
      const unsent = [yield* offer(2), yield* offer(3)]
      yield* relink
      yield* Fiber.joinAll([lost, ...unsent])
      assert.deepStrictEqual([yield* queue.take, yield* queue.take, yield* queue.take], [1, 2, 3])
    }))

  it.effect("acknowledges what it had received, though its receipts were lost", () =>
    Effect.gen(function*() {
      const { as, held, lose, lossy, memory, relink, session } = yield* setUp
      const [ref, queue] = [yield* as(openRef), yield* as(openQueue)]
      held.hold()
      const fork = <A, E>(call: Effect.Effect<A, E>) => Effect.forkChild(call, { startImmediately: true })
      const first = yield* fork(ref.add(1))
      yield* fork(queue.take)
      const last = yield* fork(ref.add(1))
      yield* Memory.until("all have arrived", () => session()!.parked.size === 1 && session()!.answered.size >= 2)
      lossy.losesSent = true
      held.release()
      yield* Fiber.joinAll([first, last])
      yield* lose
      assert.isAtLeast(session()!.answered.size, 2)
      yield* relink
      yield* Memory.until("all is acknowledged", () => session()!.answered.size === 0)
      assert.strictEqual(memory.server.engine.state.counts.waiters, 1)
    }))

  it.effect("keeps its place in a line, and gets what came meanwhile, once", () =>
    Effect.gen(function*() {
      const { as, asOther, connected, lose, memory, relink } = yield* setUp
      const [queue, its] = [yield* as(openQueue), yield* asOther(openQueue)]
      const takes = yield* Effect.forEach([1, 2], () => Effect.forkChild(queue.take, { startImmediately: true }))
      yield* Memory.until("both wait", () => memory.server.engine.state.counts.waiters === 2)
      yield* lose
      yield* its.offer(1)
      yield* relink
      yield* its.offer(2)
      assert.deepStrictEqual((yield* Fiber.joinAll(takes)).toSorted(), [1, 2])
      yield* Memory.settled(memory, connected)
      assert.strictEqual(yield* its.size, 0)
    }))

  it.effect("keeps its locks, and releases them once", () =>
    Effect.gen(function*() {
      const { as, asOther, lose, memory, relink } = yield* setUp
      const [lock, its] = [yield* as(openLock), yield* asOther(openLock)]
      const end = yield* Deferred.make<void>()
      const log: Array<string> = []
      const held = yield* Effect.forkChild(
        lock.withLock(Effect.andThen(Deferred.await(end), Effect.sync(() => log.push("mine"))))
      )
      yield* Memory.until("it is held", () => memory.server.engine.state.counts.holders === 1)
      const waiting = yield* Effect.forkChild(its.withLock(Effect.sync(() => log.push("theirs"))))
      yield* Memory.until("the other waits", () => memory.server.engine.state.counts.waiters === 1)
      yield* lose
      yield* relink
      assert.deepStrictEqual(log, [])
      yield* lose
      // Released without a link.
      yield* Deferred.succeed(end, undefined)
      yield* Fiber.join(held)
      yield* relink
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(log, ["mine", "theirs"])
    }))

  it.effect("loses at once a lock that was removed meanwhile", () =>
    Effect.gen(function*() {
      const { as, asOther, lose, relink } = yield* setUp
      const [lock, its] = [yield* as(openLock), yield* asOther(openLock)]
      const begun = yield* Deferred.make<void>()
      const body = Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
      const held = yield* Effect.forkChild(Effect.flip(lock.withLock(body)))
      yield* Deferred.await(begun)
      yield* lose
      yield* asOther(Effect.flatMap(Manager.Manager, (manager) => manager.remove(its)))
      yield* relink
      assert.strictEqual((yield* Fiber.join(held))._tag, "LockLost")
    }))

  it.effect("withdraws what was interrupted without a link, and makes its fibers wait for nothing", () =>
    Effect.gen(function*() {
      const { as, lose, lossy, memory, relink, session } = yield* setUp
      const queue = yield* as(openQueue)
      const waiting = yield* Effect.forkChild(queue.take, { startImmediately: true })
      yield* Memory.until("it waits", () => memory.server.engine.state.counts.waiters === 1)
      lossy.losesSent = true
      const lost = yield* Effect.forkChild(queue.offer(1), { startImmediately: true })
      yield* Effect.yieldNow
      yield* lose
      const unsent = yield* Effect.forkChild(queue.offer(2), { startImmediately: true })
      yield* Fiber.interruptAll([waiting, lost, unsent])
      yield* relink
      yield* Memory.until("nothing waits", () => memory.server.engine.state.counts.waiters === 0)
      assert.strictEqual(yield* queue.size, 0)
      yield* Memory.until("all fates are told", () => session()!.fates.size === 0)
    }))

  it.effect("gives its readers a reset", () =>
    Effect.gen(function*() {
      const { as, asOther, lose, memory, relink } = yield* setUp
      const [ref, its] = [yield* as(openRef), yield* asOther(openRef)]
      const seen: Array<number> = []
      yield* Effect.forkChild(Stream.runForEach(ref.changes, (n) => Effect.sync(() => seen.push(n))))
      yield* Memory.until("it watches", () => seen.length === 1)
      yield* its.set(1)
      yield* Memory.until("it sees changes", () => seen.length === 2)
      yield* lose
      yield* its.set(2)
      yield* its.set(3)
      yield* relink
      yield* Memory.until("it has the newest value", () => seen.length === 3)
      // More than its credit.
      for (let n = 4; n < 600; n++) yield* its.set(n)
      yield* Memory.until("it has all", () => seen.at(-1) === 599)
      assert.deepStrictEqual(seen.slice(0, 4), [0, 1, 3, 4])
      assert.strictEqual(
        [...memory.server.engine.state.objects.values()].flatMap(({ watchers }) => [...watchers]).length,
        1
      )
    }))

  it.effect("drops the handles that it gave back, or that were lost on the way", () =>
    Effect.gen(function*() {
      const { as, asOther, lose, lossy, relink, session } = yield* setUp
      const handles = { name: "handles", item: Schema.Struct({ queue: SharedQueue.schema(Schema.Int) }) }
      const its = yield* asOther(SharedQueue.make(handles))
      const mine = yield* as(SharedQueue.make(handles))
      yield* asOther(Effect.scoped(Effect.gen(function*() {
        for (let n = 0; n < 2; n++) yield* its.offer({ queue: yield* SharedQueue.make({ item: Schema.Int }) })
      })))
      const before = session()!.imports.size
      // Given back in its own time, which nobody hears.
      const processed = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(mine.process(() => Deferred.await(processed)))
      yield* Memory.until("it has the handle", () => session()!.imports.size === before + 1)
      lossy.losesSent = true
      yield* Deferred.succeed(processed, undefined)
      yield* Effect.yieldNow
      yield* lose
      yield* relink
      yield* Fiber.join(fiber)
      yield* Memory.until("it is dropped", () => session()!.imports.size === before)
    }))
})

describe("a link on which nothing arrives", () => {
  it.effect("is lost to the client, which has another one", () =>
    Effect.gen(function*() {
      const { as, asOther, connected, lossy, session, statuses } = yield* setUp
      const [ref, its] = [yield* as(openRef), yield* asOther(openRef)]
      for (let beats = 0; beats < 5; beats++) {
        yield* Memory.until("the manager is heard", () => connected.manager.connection.isHeard)
        yield* TestClock.adjust(grace / 4)
      }
      assert.deepStrictEqual(statuses, ["Connected"])
      lossy.die()
      const call = yield* Effect.forkChild(ref.increment, { startImmediately: true })
      for (let beats = 0; beats < 3; beats++) yield* TestClock.adjust(grace / 4)
      yield* Memory.until("it has another one", () => session()?.resumes === 1)
      yield* Fiber.join(call)
      assert.strictEqual(yield* its.get, 1)
      assert.strictEqual(statuses.at(-1), "Connected")
    }))

  it.effect("costs the client its locks, counted from when it has heard the manager last", () =>
    Effect.gen(function*() {
      const { as, connected, lossy, session } = yield* setUp
      const lock = yield* as(openLock)
      const begun = yield* Deferred.make<void>()
      let isLost = false
      yield* Effect.forkChild(
        lock.withLock(
          Effect.onInterrupt(
            Effect.andThen(Deferred.succeed(begun, undefined), Effect.never),
            () => Effect.sync(() => isLost = true)
          )
        ).pipe(Effect.ignore)
      )
      yield* Deferred.await(begun)
      connected.reach(false)
      lossy.die()
      // The manager notices at once, and the client later.
      connected.cut("pulled")
      yield* Memory.until("the manager knows", () => session()?.deadline !== undefined)
      yield* TestClock.adjust(grace * 3 / 4)
      yield* Memory.until("it is given up", () => isLost)
      assert.isDefined(session())
    }))
})

describe("a grace that is over", () => {
  it.effect("ends the session: holds are lost before others get them, and each call says whether it was sent", () =>
    Effect.gen(function*() {
      const { as, asOther, lose, memory, session, statuses } = yield* setUp
      const [lock, queue] = [yield* as(openLock), yield* as(openQueue)]
      const its = yield* asOther(openLock)
      const log: Array<string> = []
      const held = yield* Effect.forkChild(Effect.exit(
        lock.withLock(Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("mine"))))
      ))
      const sent = yield* Effect.forkChild(Effect.flip(queue.take), { startImmediately: true })
      yield* Memory.until("it is held", () => memory.server.engine.state.counts.holders === 1)
      yield* Effect.forkChild(its.withLock(Effect.sync(() => log.push("theirs"))))
      yield* Memory.until("both wait", () => memory.server.engine.state.counts.waiters === 2)
      yield* lose
      const unsent = yield* Effect.forkChild(Effect.flip(queue.offer(1)), { startImmediately: true })
      yield* TestClock.adjust(grace * 3 / 4)
      yield* Memory.until("it is given up", () => log.length === 1)
      assert.isDefined(session(), "the manager waits longer")
      yield* TestClock.adjust(grace / 4)
      yield* Memory.until("the other has it", () => log.length === 2)
      assert.deepStrictEqual(log, ["mine", "theirs"])
      const exit = yield* Fiber.join(held)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasFails(exit.cause))
      const errors = yield* Fiber.joinAll([sent, unsent])
      const reasons = errors.map((error) => error._tag === "ManagerError" && error.reason._tag)
      assert.deepStrictEqual(reasons, ["OutcomeUnknown", "NotExecuted"])
      assert.include(errors[1]?.message, "the grace of the session")
      assert.deepStrictEqual(statuses, ["Connected", "Reconnecting", "Lost"])
      assert.strictEqual((yield* Effect.flip(queue.size)).reason._tag, "NotExecuted")
    }))

  it.effect("that was longer than the manager allows is as long as the manager allows", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make({ limits: { sessionGraceMs: 100 } })
      const { manager } = yield* memory.connect({ reconnect: { grace } })
      assert.strictEqual(manager.connection.agreement.graceMs, 100)
    }))

  it.live("is refused if it is no time, or for ever", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make()
      for (const grace of [0, Infinity, NaN, -1]) {
        const error = yield* Effect.flip(memory.connect({ reconnect: { grace } }))
        assert.include(error.message, "reconnect.grace")
      }
      for (const maxStall of [0, NaN, -1]) {
        const error = yield* Effect.flip(memory.connect({ reconnect: { grace, maxStall } }))
        assert.include(error.message, "reconnect.maxStall must be a time above 0")
      }
      yield* memory.connect({ reconnect: { grace, maxStall: Infinity } })
    }))
})

describe("who resumes a session", () => {
  const observer = Redacted.make("the key of the observers")

  /** A session with a grace, of a client by hand. */
  const begun = Effect.gen(function*() {
    const memory = yield* Memory.make({ keys: { observer } })
    const secretHash = yield* Effect.provide(Handshake.hashOf(secret), Manager.layerCrypto)
    const ask = (session: Handshake.Asked, key?: Manager.ManagerKey, silenceMs?: number) =>
      Effect.gen(function*() {
        const { client } = yield* memory.dial()
        const read = yield* raw.frames(client)
        return { client, read, verdict: yield* raw.shakeHands(client, read, { session, key, silenceMs }) }
      })
    const first = yield* ask({ _tag: "Begin", grace: { milliseconds: grace, secretHash } })
    if (first.verdict._tag === "Refused") return yield* Effect.die(new Error(first.verdict.reason))
    const { instance, session } = first.verdict
    const resume = { _tag: "Resume", instance, session, secret, index: 0 } as const
    const refused = (change: Partial<typeof Handshake.Resume.Type>, key?: Manager.ManagerKey) =>
      Effect.map(
        ask({ ...resume, ...change }, key),
        ({ verdict }) => verdict._tag === "Refused" ? verdict.reason : verdict._tag
      )
    return { ask, first, memory, resume, refused }
  })

  it.live("with the secret of another session is refused, and the session goes on", () =>
    Effect.gen(function*() {
      const { memory, refused } = yield* begun
      for (const stranger of [secret.replace("s", "t"), `${secret} `, "another secret of thirty-two letters"]) {
        assert.strictEqual(yield* refused({ secret: stranger }), "WrongSecret")
      }
      assert.strictEqual(memory.server.engine.state.sessions.size, 1)
      assert.strictEqual(yield* refused({}), "Welcome")
    }))

  it.live("with the key of another role is refused, though it knows the secret", () =>
    Effect.gen(function*() {
      const { refused } = yield* begun
      assert.strictEqual(yield* refused({}, observer), "WrongSecret")
      assert.strictEqual(yield* refused({}), "Welcome")
    }))

  it.live("that has no grace is refused", () =>
    Effect.gen(function*() {
      const { memory, refused } = yield* begun
      const { manager } = yield* memory.connect()
      assert.strictEqual(yield* refused({ session: manager.connection.agreement.session }), "WrongSecret")
    }))

  it.live("that has ended, or is of another manager, or knows more than this manager, is told that it is lost", () =>
    Effect.gen(function*() {
      const { memory, refused, resume } = yield* begun
      assert.strictEqual(yield* refused({ session: resume.session + 1 }), "SessionLost")
      assert.strictEqual(yield* refused({ instance: "another" }), "SessionLost")
      assert.strictEqual(yield* refused({ index: 1_000_000 }), "SessionLost")
      const { manager } = yield* memory.connect()
      yield* manager.endSession(resume.session)
      yield* Memory.until("it has ended", () => memory.server.engine.state.sessions.size === 1)
      assert.strictEqual(yield* refused({}), "SessionLost")
    }))

  it.effect("is awaited for its grace, once nothing has been heard of it for long", () =>
    Effect.gen(function*() {
      const { memory, resume } = yield* begun
      const session = () => memory.server.engine.state.sessions.get(resume.session)
      yield* TestClock.adjust(defaults.silenceMs)
      yield* Memory.until("the manager knows", () => session()?.deadline !== undefined)
      yield* TestClock.adjust(grace)
      yield* Memory.until("it has ended", () => session() === undefined)
    }))

  it.effect("and may be silent for a shorter time is awaited earlier", () =>
    Effect.gen(function*() {
      const { ask, memory, resume } = yield* begun
      yield* ask(resume, undefined, 1_000)
      const session = () => memory.server.engine.state.sessions.get(resume.session)
      yield* TestClock.adjust(999)
      assert.isUndefined(session()?.deadline)
      yield* TestClock.adjust(1)
      yield* Memory.until("the manager knows", () => session()?.deadline !== undefined)
    }))

  it.live("cannot do so when it had broken the protocol: the session ended at once", () =>
    Effect.gen(function*() {
      const { first, memory, refused } = yield* begun
      first.client.send(raw.frame(Uint8Array.of(255)))
      yield* Memory.until("it has ended", () => memory.server.engine.state.sessions.size === 0)
      assert.strictEqual(yield* refused({}), "SessionLost")
    }))

  it.effect("that has a link takes its place: the older link is told, and ends", () =>
    Effect.gen(function*() {
      const { ask, first, memory, resume } = yield* begun
      const second = yield* ask(resume)
      assert.strictEqual(second.verdict._tag, "Welcome")
      const closing = yield* first.read.next
      assert.include(new TextDecoder().decode(closing), "resumed it over another connection")
      yield* TestClock.adjust(1_000)
      yield* Effect.flip(first.read.next)
      const { deadline, resumes } = memory.server.engine.state.sessions.get(resume.session)!
      assert.deepStrictEqual([deadline, resumes], [undefined, 1])
    }))
})
