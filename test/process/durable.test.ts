/** A durable manager whose process is killed at any point: what it had replied is there, and nothing else. */
import { Manager, SharedLock, SharedMap, SharedRef } from "@effect-multiprocessing/core"
import { Random } from "@effect-multiprocessing/core/testing"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, Schema } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { budget } from "../support/budget.ts"
import { fixture, start, waitUntil } from "./harness.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "durable-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

describe("a durable manager", () => {
  it.live("has all that it had replied, and no more than was under way, after it was killed", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "state")
      const seed = Date.now() % 1_000_000
      const random = new Random(seed)
      let replied = 0
      for (let kills = 0; kills <= budget(2); kills++) {
        const program = yield* start(fixture("durable"), path)
        const lines = () => program.output().split("\n").slice(0, -1)
        const more = 1 + random.below(100)
        yield* waitUntil("it has replied", () => lines().length > more)
        program.process.kill("SIGKILL")
        yield* program.exit
        const [began, ...after] = lines()
        const entries = Number(/\d+/.exec(began!)![0])
        assert.isTrue(
          entries === replied || entries === replied + 1,
          `${began}, after ${replied} replies (seed ${seed})`
        )
        replied = Number(after.at(-1))
      }
    }).pipe(Effect.scoped))

  it.live("is resumed by its clients after it was killed: holds are kept, nothing is lost, nothing is done twice (S-6)", () =>
    Effect.gen(function*() {
      const inside = yield* folder
      const [path, socket] = [join(inside, "state"), join(inside, "socket")]
      const serve = Effect.gen(function*() {
        const program = yield* start(fixture("durable"), path, socket)
        yield* waitUntil("it serves", () => program.output().includes("ready"))
        return program
      })
      let program = yield* serve
      yield* Effect.gen(function*() {
        const lock = yield* SharedLock.make({ name: "lock" })
        const sum = yield* SharedRef.make({ name: "sum", schema: Schema.Int, initial: 0 })
        let added = 0
        yield* lock.withLock(Effect.gen(function*() {
          const adding = yield* Effect.forkChild(
            Effect.forever(Effect.tap(sum.increment, () => Effect.sync(() => added++)))
          )
          for (let kills = 0; kills < budget(2); kills++) {
            const before = added
            yield* waitUntil("it adds", () => added > before + 20)
            program.process.kill("SIGKILL")
            yield* program.exit
            program = yield* serve
          }
          const before = added
          yield* waitUntil("it adds again", () => added > before)
          yield* Fiber.interrupt(adding)
        }))
        const total = yield* sum.get
        // The last one may have been added when its fiber was interrupted.
        assert.isTrue(total === added || total === added + 1, `${total} after ${added} additions`)
      }).pipe(
        Effect.scoped,
        Effect.provide(NodeManager.layerClient({
          path: socket,
          key: Redacted.make("the key of the durable manager"),
          reconnect: { grace: "1 minute" }
        }))
      )
    }).pipe(Effect.scoped))

  it.live("is one for a path: a second one says which process has it", () =>
    Effect.gen(function*() {
      const options = { path: join(yield* folder, "state") }
      const layer = NodeManager.layerDurable(options)
      yield* Effect.gen(function*() {
        const { message } = yield* Effect.flip(
          Effect.scoped(Effect.provide(Effect.void, NodeManager.layerDurable({ ...options })))
        )
        assert.include(message, `process ${process.pid} of`)
        yield* SharedLock.make({ name: "lock" })
      }).pipe(Effect.scoped, Effect.provide(layer))
    }).pipe(Effect.scoped))

  it.live("serves other programs, and keeps what they have named when it is started again", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "state")
      const map = { name: "map", key: Schema.String, value: Schema.Int }
      const run = (value: number) =>
        Effect.gen(function*() {
          const { endpoint } = yield* Manager.Manager
          yield* Effect.gen(function*() {
            const entries = yield* SharedMap.make(map)
            assert.strictEqual(yield* entries.size, value)
            yield* entries.set(`entry ${value}`, value)
          }).pipe(Effect.scoped, Effect.provide(NodeManager.layerClient(endpoint!)))
        }).pipe(Effect.provide(NodeManager.layerDurable({ path })))
      for (let value = 0; value < 3; value++) yield* run(value)
    }).pipe(Effect.scoped))
})
