/** A durable manager: what its clients find after its death, and files with which it does not begin, or cannot go on. */
import { Manager, SharedLock, SharedMap, SharedRef } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger, Redacted, Schema } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { budget } from "../support/budget.ts"
import { fixture, start, waitUntil } from "./harness.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "durable-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

describe("a durable manager", () => {
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

  it.live("waits while its disk is full, and has all that it had replied when it is started with more room", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "state")
      const map = SharedMap.make({ name: "map", key: Schema.Int, value: Schema.String })
      const isFull = yield* Deferred.make<string>()
      const warnings = Logger.make(({ message }) => Deferred.doneUnsafe(isFull, Effect.succeed(String(message))))
      let replied = 0
      yield* Effect.gen(function*() {
        const entries = yield* map
        const set = Effect.suspend(() => entries.set(replied + 1, "x".repeat(5_000)))
        const setting = yield* Effect.forkChild(Effect.forever(Effect.tap(set, () => Effect.sync(() => replied++))))
        assert.include(yield* Deferred.await(isFull), "full")
        assert.isUndefined(setting.pollUnsafe())
      }).pipe(
        Effect.scoped,
        Effect.provide(
          Layer.provideMerge(NodeManager.layerDurable({ path, bytesMax: 300_000 }), Logger.layer([warnings]))
        )
      )
      assert.isAbove(replied, 10)
      yield* Effect.gen(function*() {
        const entries = yield* map
        const size = yield* entries.size
        assert.isTrue(size === replied || size === replied + 1, `${size} entries after ${replied} replies`)
        yield* entries.set(0, "there is room")
      }).pipe(Effect.scoped, Effect.provide(NodeManager.layerDurable({ path })))
    }).pipe(Effect.scoped))

  it.live("does not begin with a file that it cannot use, says why, and leaves it as it is", () =>
    Effect.gen(function*() {
      const inside = yield* folder
      const path = join(inside, "state")
      yield* Effect.flatMap(
        SharedMap.make({ name: "map", key: Schema.Int, value: Schema.String }),
        ({ setAll }) => setAll(Array.from({ length: 2_000 }, (_, i) => [i, "x".repeat(100)] as const))
      ).pipe(
        Effect.scoped,
        Effect.provide(NodeManager.layerDurable({ path }))
      )
      const whole = readFileSync(path)
      const newer = Buffer.from(whole)
      // The header's user version.
      newer.writeUInt32BE(1_000, 60)
      const cases: ReadonlyArray<readonly [bytes: Uint8Array, says: RegExp]> = [
        [whole.subarray(0, whole.length / 2), /malformed|damaged/],
        [whole.subarray(0, 5_000), /malformed|damaged/],
        [newer, /it has format 1000, and this release knows format/],
        [Buffer.from("a text\n".repeat(1_000)), /not a database/]
      ]
      for (const [i, [bytes, says]] of cases.entries()) {
        const file = join(inside, `state-${i}`)
        writeFileSync(file, bytes)
        const { reason } = yield* Effect.flip(
          Effect.scoped(Effect.provide(Effect.void, NodeManager.layerDurable({ path: file })))
        )
        assert.strictEqual(reason._tag, "StartFailed")
        assert.match(reason.message, says)
        assert.isTrue(readFileSync(file).equals(bytes), `case ${i}`)
      }
    }).pipe(Effect.scoped))
})
