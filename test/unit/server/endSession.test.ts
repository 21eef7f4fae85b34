/** A session that somebody ends, because its process is frozen and holds what others wait for. */
import { Manager, SharedLock } from "@effect-multiprocessing/core"
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { Holdable } from "../../support/links.ts"
import * as Memory from "../../support/Memory.ts"

it.live("ends the session of a frozen process: what it holds passes on, and what it does later fails", () =>
  Effect.gen(function*() {
    const memory = yield* Memory.make()
    const { state } = memory.server.engine
    const held = new Holdable()
    const frozen = yield* memory.connect({ name: "frozen", server: held.wrap })
    const operator = yield* memory.connect({ name: "operator" })
    const lockOf = ({ manager }: Memory.Connected) =>
      Effect.provideService(SharedLock.make({ name: "lock" }), Manager.Manager, manager)
    const [its, ours] = [yield* lockOf(frozen), yield* lockOf(operator)]
    const holds = yield* Deferred.make<void>()
    const holding = yield* Effect.forkChild(
      its.withLock(Effect.andThen(Deferred.succeed(holds, undefined), Effect.never))
    )
    yield* Deferred.await(holds)
    held.hold()
    const waiting = yield* Effect.forkChild(ours.withLock(Effect.succeed("passed on")))
    yield* Memory.until("it waits", () => state.counts.waiters === 1)
    const { session } = frozen.manager.connection.agreement
    assert.isTrue(yield* operator.manager.endSession(session))
    assert.strictEqual(yield* Fiber.join(waiting), "passed on")
    assert.isFalse(yield* operator.manager.endSession(session), "it has gone")
    held.release()
    assert.include(String(yield* Effect.flip(frozen.manager.inspect)), "operator (pid 0) ended this session")
    yield* Fiber.await(holding)
  }))

it.live("a process may end its own session", () =>
  Effect.gen(function*() {
    const memory = yield* Memory.make()
    const { manager } = yield* memory.connect()
    yield* Effect.exit(manager.endSession(manager.connection.agreement.session))
    yield* Memory.until("it has gone", () => memory.server.engine.state.sessions.size === 0)
  }))
