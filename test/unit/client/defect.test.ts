/** A defect of this process is told as itself: once in the log, with its stack, and in the error of every call. */
import * as Remote from "#core/proxy/Remote.ts"
import type { Link } from "#core/transport/Link.ts"
import { Manager, SharedLock, SharedRef } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Logger, Schema } from "effect"
import * as Memory from "../../support/Memory.ts"

/** What was logged as an error, with its stack. */
const logged: Array<string> = []
const log = Logger.layer([Logger.make(({ cause, logLevel, message }) => {
  if (logLevel === "Error") logged.push(`${message} ${Cause.pretty(cause)}`)
})])

const setUp = (client?: (link: Link) => Link) =>
  Effect.gen(function*() {
    logged.length = 0
    const memory = yield* Memory.make()
    const { manager } = yield* memory.connect({ client })
    const as = Effect.provideService(Manager.Manager, manager)
    const ref = yield* as(SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0 }))
    const lock = yield* as(SharedLock.make({ name: "lock" }))
    const holding = yield* Effect.forkChild(Effect.flip(lock.withLock(Effect.never)))
    const { state } = memory.server.engine
    yield* Memory.until("the lock is held", () => state.counts.holders === 1)
    return { ref, holding, state }
  })

/** All calls are told, the log has the defect once, and the manager has what the session held. */
const isTold = ({ holding, ref, state }: Effect.Success<ReturnType<typeof setUp>>) =>
  Effect.gen(function*() {
    assert.strictEqual((yield* Fiber.join(holding))._tag, "LockLost")
    const { message } = yield* Effect.flip(ref.get)
    assert.include(message, "a defect of this client has ended its session (Error: a bug)")
    yield* Memory.until("the session has ended", () => state.sessions.size === 0)
    assert.strictEqual(state.counts.holders, 0)
    assert.strictEqual(logged.length, 1)
    assert.include(logged[0]!, "holds are released")
    assert.include(logged[0]!, "defect.test.ts")
  })

const bug = (): never => {
  throw new Error("a bug")
}

describe("a defect of a client", () => {
  it.live("in reading a reply", () =>
    Effect.gen(function*() {
      const made = yield* setUp()
      const remote = made.ref[Remote.TypeId]
      const get = remote.connection.operationsOf("Ref").get("get")!
      const call = yield* Effect.forkChild(Effect.exit(remote.connection.call(remote.target, get, ["value"], bug)))
      yield* isTold(made)
      const exit = yield* Fiber.join(call)
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "Error: a bug")
    }).pipe(Effect.scoped, Effect.provide(log)))

  it.live("in sending", () =>
    Effect.gen(function*() {
      let broken = false
      const made = yield* setUp((link) => ({ ...link, send: (bytes) => broken ? bug() : link.send(bytes) }))
      broken = true
      const call = yield* Effect.forkChild(Effect.flip(made.ref.increment), { startImmediately: true })
      yield* Memory.until("it is told", () => logged.length === 1)
      broken = false
      assert.include((yield* Fiber.join(call)).message, "the outcome of add")
    }).pipe(Effect.scoped, Effect.provide(log)))
})
