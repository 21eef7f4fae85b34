/** Actors: calls, errors, handles, streams, and the ends of callers and hosts. */
import { Actor, Manager, SharedLock, SharedRef } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schema, type Scope, Stream } from "effect"
import * as Memory from "../../support/Memory.ts"
import { makeHandlers, methods, NotFound, Search, session } from "./search.ts"

type Options = Omit<Actor.Options<typeof methods>, "methods">

/** A manager, and functions that connect a caller, or a process that hosts `Search`. */
const setUp = (options: Options = {}, memoryOptions: Memory.MemoryOptions = {}) =>
  Effect.gen(function*() {
    const memory = yield* Memory.make(memoryOptions)
    const open = Actor.make({ methods, name: "search", ...options })
    const connect = Effect.gen(function*() {
      const { cut, manager } = yield* memory.connect()
      const as = Effect.provideService(Manager.Manager, manager)
      return { as, cut, search: yield* as(open) }
    })
    const host = (options: Actor.ServeOptions = {}) =>
      Effect.gen(function*() {
        const { as, cut, search } = yield* connect
        const { go, handlers, notes } = yield* as(makeHandlers)
        const serving = yield* Effect.forkScoped(as(Actor.serve(search, handlers, options)))
        return { as, cut, search, go, handlers, notes, serving }
      })
    const caller = yield* connect
    const { search } = caller
    const until = (status: Partial<Actor.Status>) =>
      Effect.repeat(Actor.status(search), {
        until: (now) => Object.entries(status).every(([name, value]) => now[name as keyof Actor.Status] === value)
      })
    return { memory, connect, host, ...caller, until }
  })

const tagOf = <E>(exit: Exit.Exit<unknown, E>): string =>
  Exit.isSuccess(exit) ? "Success" : (Cause.squash(exit.cause) as { readonly _tag?: string })._tag ?? String(exit.cause)

describe("a call of an actor", () => {
  it.live("is carried out by its host, whatever it returns", () =>
    Effect.gen(function*() {
      const { as, host, search } = yield* setUp()
      yield* host()
      yield* search.add({ word: "effect", page: 1 })
      yield* search.add({ word: "effect", page: 7 })
      assert.deepStrictEqual(yield* search.find({ word: "effect" }), [1, 7])
      assert.deepStrictEqual(yield* Effect.flip(search.find({ word: "x" })), new NotFound({ word: "x" }))
      const boom = yield* Effect.exit(search.boom)
      assert.include(Exit.isFailure(boom) ? Cause.pretty(boom.cause) : "", "kaboom")
      const log = yield* search.log
      yield* log.append("a line")
      assert.deepStrictEqual(yield* log.toArray, ["a line"])
      const opened = yield* as(search.open)
      assert.strictEqual(yield* opened.bump, 1)
      assert.strictEqual(yield* opened.bump, 2)
      yield* opened.end
      // The host goes on after the defect.
      assert.deepStrictEqual(yield* search.find({ word: "effect" }), [1, 7])
    }))

  it.live("waits for a host, and those that wait are received in order", () =>
    Effect.gen(function*() {
      const { host, search, until } = yield* setUp()
      const calls = yield* Effect.forEach([1, 2, 3], (page) =>
        Effect.andThen(
          Effect.forkChild(search.add({ word: "w", page }), { startImmediately: true }),
          (fiber) => Effect.as(until({ queued: page }), fiber)
        ))
      yield* host()
      yield* Effect.forEach(calls, Fiber.join)
      assert.deepStrictEqual(yield* search.find({ word: "w" }), [1, 2, 3])
    }))

  it.live("fails at once without a host, if its actor says so", () =>
    Effect.gen(function*() {
      const { host, search, until } = yield* setUp({ withoutHost: "fail" })
      const error = yield* Effect.flip(search.block)
      assert.deepStrictEqual(error, new Actor.NotHosted({ actor: `Actor "search"`, method: "block" }))
      const { serving } = yield* host({ prefetch: 0 })
      yield* until({ isHosted: true })
      const [delivered, queued] = yield* Effect.all([Effect.forkChild(search.block), Effect.forkChild(search.block)])
      yield* until({ queued: 1, delivered: 1 })
      yield* Fiber.interrupt(serving)
      assert.strictEqual(tagOf(yield* Fiber.await(delivered)), "ActorDied")
      assert.strictEqual(tagOf(yield* Fiber.await(queued)), "NotHosted")
    }))

  it.live("fails when the mailbox is full", () =>
    Effect.gen(function*() {
      const { search, until } = yield* setUp({ mailboxMax: 1 })
      yield* Effect.forkChild(search.block)
      yield* until({ queued: 1 })
      const error = yield* Effect.flip(search.block)
      assert.deepStrictEqual(error, new Actor.MailboxFull({ actor: `Actor "search"`, method: "block", max: 1 }))
    }))

  it.live("whose result is too large fails, and the host goes on", () =>
    Effect.gen(function*() {
      const { host, search } = yield* setUp({}, { limits: { frameBytesMax: 10_000 } })
      yield* host()
      // More often than there are calls that it receives ahead.
      for (let n = 0; n < 20; n++) {
        const exit = yield* Effect.exit(search.huge(20_000))
        assert.include(
          Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "",
          "answer on Actor \"search\" would exceed frameBytesMax = 10000"
        )
      }
      assert.strictEqual((yield* search.huge(10)).length, 10)
    }))

  it.live("runs without the holds of its caller, and of the fiber that serves", () =>
    Effect.gen(function*() {
      const { as, connect } = yield* setUp()
      const open = Actor.make({ methods: session, name: "session" })
      const other = yield* connect
      const [lock, ref] = yield* other.as(
        Effect.all([SharedLock.make({ name: "lock" }), SharedRef.make({ schema: Schema.Int, initial: 0 })])
      )
      const bump = () => Effect.orDie(Effect.as(ref.set(1), 1))
      const serving = Effect.flatMap(open, (actor) => Actor.serve(actor, { bump, end: () => Effect.void }))
      yield* Effect.forkScoped(lock.withLock(other.as(serving)))
      const mine = yield* as(SharedLock.make({ name: "mine" }))
      assert.strictEqual(yield* mine.withLock((yield* as(open)).bump), 1)
    }))
})

describe("a caller that is interrupted", () => {
  it.live("interrupts the handler of its call", () =>
    Effect.gen(function*() {
      const { host, search, until } = yield* setUp()
      const { notes } = yield* host()
      const call = yield* Effect.forkChild(search.block)
      yield* Memory.until("it is blocked", () => notes.includes("blocked"))
      yield* Fiber.interrupt(call)
      yield* Memory.until("it is interrupted", () => notes.includes("interrupted"))
      yield* until({ queued: 0, delivered: 0 })
      yield* search.add({ word: "w", page: 1 })
    }))

  it.live("withdraws a call that was received and has not begun", () =>
    Effect.gen(function*() {
      const { host, search, until } = yield* setUp()
      const { go, notes } = yield* host()
      const first = yield* Effect.forkChild(search.block)
      const second = yield* Effect.forkChild(search.block)
      yield* until({ delivered: 2 })
      yield* Fiber.interrupt(second)
      yield* go
      yield* Fiber.join(first)
      yield* search.add({ word: "w", page: 1 })
      assert.deepStrictEqual(notes, ["blocked"])
    }))

  it.live("that loses its connection interrupts the handler, too", () =>
    Effect.gen(function*() {
      const { connect, host, until } = yield* setUp()
      const { notes } = yield* host()
      const other = yield* connect
      yield* Effect.forkChild(Effect.exit(other.search.block))
      yield* Memory.until("it is blocked", () => notes.includes("blocked"))
      other.cut("cut")
      yield* Memory.until("it is interrupted", () => notes.includes("interrupted"))
      yield* until({ queued: 0, delivered: 0 })
    }))
})

describe("the end of a host", () => {
  it.live("fails the calls that it has received, and leaves the others to the next host", () =>
    Effect.gen(function*() {
      const { host, search, until } = yield* setUp()
      const first = yield* host({ prefetch: 1 })
      const calls = yield* Effect.forEach([1, 2, 3, 4], (page) =>
        Effect.forkChild(page === 1 ? search.block : search.add({ word: "w", page })))
      yield* until({ queued: 2, delivered: 2 })
      first.cut("killed")
      yield* until({ isHosted: false })
      yield* host()
      const tags = yield* Effect.forEach(calls, (call) =>
        Effect.map(Fiber.await(call), tagOf))
      assert.deepStrictEqual(tags, ["ActorDied", "ActorDied", "Success", "Success"])
      assert.deepStrictEqual(yield* search.find({ word: "w" }), [3, 4])
      assert.deepStrictEqual(first.notes, ["blocked", "interrupted"])
      assert.strictEqual(tagOf(yield* Fiber.await(first.serving)), "ManagerError")
    }))

  it.live("by interruption leaves to the next host what has not begun", () =>
    Effect.gen(function*() {
      const { host, search, until } = yield* setUp()
      const first = yield* host()
      const blocked = yield* Effect.forkChild(search.block)
      const added = yield* Effect.forkChild(search.add({ word: "w", page: 1 }))
      yield* until({ delivered: 2 })
      yield* Fiber.interrupt(first.serving)
      assert.strictEqual(tagOf(yield* Fiber.await(blocked)), "ActorDied")
      assert.deepStrictEqual(yield* Actor.status(search), { isHosted: false, queued: 1, delivered: 0 })
      yield* host()
      yield* Fiber.join(added)
      assert.deepStrictEqual(yield* search.find({ word: "w" }), [1])
    }))

  it.live("makes way for the host on standby; another one is refused", () =>
    Effect.gen(function*() {
      const { host, search, until } = yield* setUp()
      const first = yield* host()
      yield* until({ isHosted: true })
      const second = yield* host()
      const refused = yield* Effect.flip(Fiber.join(second.serving))
      assert.deepStrictEqual(refused, new Actor.AlreadyServed({ actor: `Actor "search"` }))
      const third = yield* host({ standby: true })
      yield* search.add({ word: "w", page: 1 })
      first.cut("killed")
      yield* search.add({ word: "w", page: 2 })
      assert.deepStrictEqual(yield* search.find({ word: "w" }), [2])
      yield* Fiber.interrupt(third.serving)
    }))

  it.live("by one of its own handlers leaves to the next host what has not begun", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp()
      const actor = yield* as(Actor.make({ methods: session, name: "session" }))
      const hits: Array<number> = []
      const serve = (host: number): Effect.Effect<Fiber.Fiber<never, unknown>, never, Scope.Scope> =>
        Effect.forkScoped(Actor.serve(actor, {
          bump: () => Effect.sync(() => hits.push(host)),
          end: () => Effect.sync(() => serving.interruptUnsafe())
        }))
      const calls = yield* Effect.forEach([actor.end, actor.bump], (call, i) =>
        Effect.andThen(Effect.forkChild(Effect.exit(call)), (fiber) =>
          Effect.as(
            Effect.repeat(Actor.status(actor), {
              until: ({ queued }) =>
                queued === i + 1
            }),
            fiber
          )))
      const serving = yield* serve(1)
      yield* Fiber.await(serving)
      assert.deepStrictEqual(yield* Actor.status(actor), { isHosted: false, queued: 1, delivered: 0 })
      yield* serve(2)
      yield* Effect.forEach(calls, Fiber.join)
      assert.deepStrictEqual(hits, [2])
    }))

  it.live("comes with the actor", () =>
    Effect.gen(function*() {
      const { as, host, search, until } = yield* setUp()
      const { serving } = yield* host()
      const call = yield* Effect.forkChild(search.block)
      yield* until({ delivered: 1 })
      yield* as(Effect.flatMap(Manager.Manager, ({ remove }) => remove(search)))
      assert.strictEqual(tagOf(yield* Fiber.await(serving)), "ManagerError")
      assert.strictEqual(tagOf(yield* Fiber.await(call)), "ManagerError")
    }))

  it.live("with a mistaken number of calls is a defect", () =>
    Effect.gen(function*() {
      const { host } = yield* setUp()
      for (const options of [{ concurrency: 0 }, { concurrency: NaN }, { prefetch: -1 }, { prefetch: 0.5 }]) {
        const { serving } = yield* host(options)
        const exit = yield* Fiber.await(serving)
        assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "is no number of calls")
      }
    }))
})

describe("a stream of an actor", () => {
  it.live("has the elements in order, then the failure of the handler", () =>
    Effect.gen(function*() {
      const { host, search } = yield* setUp()
      yield* host()
      yield* Effect.forEach(["a", "b"], (word) => search.add({ word, page: 1 }))
      assert.deepStrictEqual(yield* Stream.runCollect(search.words), ["a", "b"])
      const seen: Array<number> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(search.count({ to: 200 }), (n) => Effect.sync(() => seen.push(n)))
      )
      assert.deepStrictEqual(seen, Array.from({ length: 200 }, (_, i) => i + 1))
      assert.strictEqual(tagOf(exit), "NotFound")
    }))

  it.live("stops the handler when its reader stops, which is not far ahead", () =>
    Effect.gen(function*() {
      const { host, search, until } = yield* setUp()
      const { notes } = yield* host()
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(search.count({ to: 1_000 }), 3)), [1, 2, 3])
      yield* until({ delivered: 0 })
      yield* Memory.until("the handler has ended", () => notes.includes("count: Failure"))
      assert.isBelow(notes.length, 50)
    }))

  it.live("fails with ActorDied after the elements that its host has sent", () =>
    Effect.gen(function*() {
      const { host, search, until } = yield* setUp()
      const { cut, notes } = yield* host()
      const seen: Array<number> = []
      const see = (n: number) => {
        seen.push(n)
        return n < 3 ? Effect.void : Effect.asVoid(until({ isHosted: false }))
      }
      const reading = yield* Effect.forkChild(Stream.runForEach(search.count({ to: 1_000 }), see))
      yield* Memory.until("some are seen", () => seen.length === 3 && notes.length > 10)
      cut("killed")
      assert.strictEqual(tagOf(yield* Fiber.await(reading)), "ActorDied")
      assert.deepStrictEqual(seen, Array.from({ length: seen.length }, (_, i) => i + 1))
    }))
})

describe("the service of an actor", () => {
  it("has no method with the name of a part of every object", () => {
    assert.throws(() => Actor.schema({ toJSON: Actor.method() }), "cannot have the name toJSON")
  })

  it.live("opens, hosts and calls it", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp()
      const program = Effect.gen(function*() {
        const { handlers } = yield* makeHandlers
        yield* Effect.forkScoped(Search.serve(handlers, { concurrency: 4 }))
        const search = yield* Search
        yield* search.add({ word: "w", page: 1 })
        return yield* search.find({ word: "w" })
      })
      assert.deepStrictEqual(yield* as(Effect.provide(program, Search.layer)), [1])
    }))
})
