/** Keys of several roles: what the key that a client proves makes of it, and what its program is told. */
import { recover } from "#core/server/recover.ts"
import { Limits, Manager, type ManagerError, SharedMap, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { makeMemoryLog } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Logger, Redacted, References, Schema, Stream } from "effect"
import { inspect } from "node:util"
import * as Memory from "../../support/Memory.ts"

const keys = {
  client: [
    { key: Redacted.make("the key of the workers"), names: ["jobs"] },
    { key: Redacted.make("the key of the loggers"), names: ["log"] }
  ],
  observer: Redacted.make("the key of the observers")
}

const start = Effect.gen(function*() {
  const memory = yield* Memory.make({ keys })
  const as = (key: Manager.ManagerKey) => Effect.map(memory.connect({ key }), ({ manager }) => manager)
  return { memory, as, owner: yield* as(Memory.key), observer: yield* as(keys.observer) }
})

const refOf = (manager: Manager.Manager["Service"], name: string) =>
  Effect.provideService(SharedRef.make({ name, schema: Schema.Int, initial: 1 }), Manager.Manager, manager)

const isPermission = (error: { readonly _tag: string; readonly message: string }): string => {
  assert.strictEqual(error._tag, "ManagerError")
  assert.strictEqual((error as ManagerError.ManagerError).reason._tag, "NotPermitted")
  return error.message
}

describe("the key that a client proves", () => {
  it.live("decides its role, and the names that it may use", () =>
    Effect.gen(function*() {
      const { as, observer, owner } = yield* start
      const worker = yield* as(keys.client[0]!.key)
      assert.deepStrictEqual([owner.role, worker.role, observer.role], ["owner", "client", "observer"])
      yield* (yield* refOf(worker, "jobs")).set(2)
      assert.strictEqual(
        isPermission(yield* Effect.flip(refOf(worker, "log"))),
        `open on Ref "log" is not permitted to this client, whose role is client: it needs another key, because its ` +
          `own is for names that begin with "jobs". Nothing was changed. Connect with a key that permits it`
      )
    }))

  it.live("lets an observer read and watch, and change nothing", () =>
    Effect.gen(function*() {
      const { observer, owner } = yield* start
      const mine = yield* refOf(owner, "count")
      const theirs = yield* refOf(observer, "count")
      assert.strictEqual(yield* theirs.get, 1)
      assert.strictEqual(
        isPermission(yield* Effect.flip(theirs.set(7))),
        `set on Ref "count" is not permitted to this client, whose role is observer: it needs the role client or ` +
          `owner. Nothing was changed. Connect with a key that permits it`
      )
      isPermission(yield* Effect.flip(theirs.update((n) => n + 1)))
      isPermission(yield* Effect.flip(observer.remove(theirs)))
      isPermission(yield* Effect.flip(observer.endSession(owner.connection.agreement.session)))
      assert.strictEqual(yield* mine.get, 1)
      yield* mine.set(8)
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(theirs.changes, 1)), [8])
      assert.isAtLeast((yield* observer.inspect).objects.length, 1)
    }))

  it.live("lets an observer read handles, which keep their objects until it has gone", () =>
    Effect.gen(function*() {
      const { memory, owner } = yield* start
      const options = { name: "queues", key: Schema.String, value: SharedQueue.schema(Schema.String) }
      const { objects } = memory.server.engine.state
      const references = () => [...objects.values()].find(({ kind }) => kind.name === "Queue")!.references
      yield* Effect.scoped(Effect.gen(function*() {
        const queue = yield* SharedQueue.make({ item: Schema.String })
        yield* (yield* SharedMap.make(options)).set("a", queue)
      })).pipe(Effect.provideService(Manager.Manager, owner))
      yield* Memory.until("only the map refers to the queue", () => references() === 1)
      yield* Effect.scoped(Effect.gen(function*() {
        const { manager } = yield* memory.connect({ key: keys.observer })
        const theirs = yield* Effect.provideService(SharedMap.make(options), Manager.Manager, manager)
        assert.lengthOf(yield* Stream.runCollect(theirs.stream), 1)
        assert.strictEqual(references(), 2)
      }))
      yield* Memory.until("only the map refers to the queue", () => references() === 1)
    }))

  it.live("is one of the manager's", () =>
    Effect.gen(function*() {
      const { as } = yield* start
      const { reason } = yield* Effect.flip(as(Redacted.make("the key of nobody")))
      assert.include(reason.message, "the key is wrong")
    }))
})

it.live("a manager with a log knows the rights of its sessions again, and is not shut down again", () =>
  Effect.gen(function*() {
    const log = makeMemoryLog()
    yield* Effect.scoped(Effect.gen(function*() {
      const memory = yield* Memory.make({ keys, log })
      const { manager: owner } = yield* memory.connect()
      yield* memory.connect({ key: keys.observer, reconnect: { grace: "10 seconds" } })
      yield* memory.connect({ key: keys.client[0]!.key, reconnect: { grace: "10 seconds" } })
      yield* refOf(owner, "ref")
      const { state } = memory.server.engine
      const kinds = [...state.kinds.values()].slice(1)
      const rightsIn = ({ sessions }: typeof state) => Array.from(sessions.values(), ({ rights }) => rights)
      yield* owner.shutdown
      const options = { ...Memory.leading, instance: "", kinds, limits: Limits.defaults, log }
      const { engine } = yield* Effect.scoped(recover(options))
      const client = { role: "client", names: ["jobs"] } as const
      assert.deepStrictEqual(rightsIn(engine.state), [undefined, { role: "observer", names: undefined }, client])
    }))
    const { manager } = yield* (yield* Memory.make({ keys, log })).connect()
    yield* (yield* refOf(manager, "ref")).set(3)
  }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")))

it.live("no key is in an inspection, an error, a log, or a manager as text", () =>
  Effect.gen(function*() {
    const shown: Array<string> = []
    const show = (value: unknown) => shown.push(inspect(value, { depth: 20, showHidden: true }), String(value))
    const logger = Logger.make(({ cause, fiber, message }) => void shown.push(inspect([message, cause, fiber.id])))
    yield* Effect.gen(function*() {
      const { as, observer, owner } = yield* start
      const ref = yield* refOf(owner, "ref")
      const theirs = yield* refOf(observer, "ref")
      show(yield* owner.inspect)
      for (const refused of [theirs.set(2), observer.remove(ref), observer.shutdown, observer.endSession(1)]) {
        const cause = yield* Effect.flip(Effect.sandbox(refused))
        show(cause)
        show(Cause.pretty(cause))
        yield* Effect.logError("refused", cause)
      }
      const wrong = yield* Effect.flip(as(Redacted.make("the key of nobody")))
      show(wrong)
      show(JSON.stringify(wrong))
      show(observer)
      show(JSON.stringify(observer.endpoint))
      show(theirs)
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
    const { client: [workers, loggers], observer } = keys
    for (const key of [Memory.key, workers!.key, loggers!.key, observer, Redacted.make("the key of nobody")]) {
      assert.notInclude(shown.join("\n"), Redacted.value(key))
    }
    assert.include(shown.join("\n"), "refused")
  }))

describe("a manager is not started", () => {
  const refused = (name: string, options: Manager.ManagerOptions, issue: string) =>
    it.effect(`with ${name}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Effect.scoped(Layer.build(Manager.layerMemoryWith(options))))
        assert.strictEqual(error.reason._tag, "StartFailed")
        assert.include(error.message, issue)
        assert.notInclude(error.message, "secret")
      }))

  const [secret, other] = [Redacted.make("secret"), Redacted.make("another secret")]

  refused("a key of an unknown role", { keys: { admin: secret } as Manager.Keys }, "keys.admin is no role")
  refused("one key for two roles", { key: secret, keys: { observer: secret } }, "two of its keys are the same")
  refused(
    "one key for two sets of names",
    { keys: { client: [{ key: secret, names: ["a"] }, { key: secret, names: ["b"] }] } },
    "two of its keys are the same"
  )
  refused("two keys of the owner", { key: secret, keys: { owner: other } }, "two keys of the owner")
  refused("an empty key of a role", { keys: { observer: Redacted.make("") } }, "its key is empty")
})

it.live("keys.owner is the owner's key", () =>
  Effect.gen(function*() {
    const owner = Redacted.make("the key of the owner")
    const layer = Manager.layerMemoryWith({ keys: { owner, observer: keys.observer }, limits: Limits.defaults })
    const { role } = yield* Effect.provide(Manager.Manager, layer)
    assert.strictEqual(role, "owner")
  }))
