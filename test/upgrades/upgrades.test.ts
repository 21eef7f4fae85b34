/** Logs that earlier releases have recorded, and the hand-over to another version of the engine. */
import { engineVersion } from "#core/engine/version.ts"
import * as SqliteFile from "#node/sqliteFile.ts"
import { type Manager, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { logs, read, temporary } from "./recorded.ts"

const path = Effect.map(temporary, (folder) => join(folder, "log"))

const count = SharedRef.make({ name: "count", schema: Schema.Int, initial: 0 })
const jobs = SharedQueue.make({ name: "jobs", item: Schema.Int })

/** What a manager on a file replies. */
const use = <A, E>(path: string, effect: Effect.Effect<A, E, Manager.Manager>) =>
  Effect.provide(effect, NodeManager.layerDurable({ path, survives: "process" }))

/** Makes the inputs in a file those of another version of the engine. */
const changeVersion = (path: string, version: number): void => {
  const database = new DatabaseSync(path)
  database.function("withVersion", (bytes) => Uint8Array.from(bytes as Uint8Array).with(1, version))
  database.exec("update entry set bytes = withVersion(bytes)")
  database.exec(`update snapshot set engineVersion = ${version}`)
  database.close()
}

describe("a log of an earlier release", () => {
  it("is there for this version of the engine, with inputs and handed over", () => {
    const names = logs.map(({ name }) => name)
    assert.includeMembers(names, [`engine-${engineVersion}`, `engine-${engineVersion}-handed-over`])
  })

  for (const { copyTo, name, recorded } of logs) {
    const isReadable = recorded.engineVersion === engineVersion || name.endsWith("-handed-over")
    it.live(
      isReadable ? `leads to what it led to: ${name}` : `is refused, and says what to do: ${name}`,
      () =>
        Effect.gen(function*() {
          const file = yield* path
          copyTo(file)
          if (isReadable) {
            const { engineVersion, ...reading } = recorded
            assert.deepStrictEqual(yield* read(file), reading, `of version ${engineVersion}`)
            yield* use(file, Effect.flatMap(count, ({ set }) => set(1)).pipe(Effect.scoped))
          } else {
            const { message } = yield* Effect.flip(use(file, Effect.void))
            assert.include(message, "hand it over by a snapshot")
          }
        }).pipe(Effect.scoped)
    )
  }
})

describe("a hand-over", () => {
  const work = Effect.gen(function*() {
    yield* (yield* jobs).offer(7)
    yield* (yield* count).update((n) => n + 1)
  }).pipe(Effect.scoped)

  it.live("lets another version of the engine begin with the file, which refuses the inputs", () =>
    Effect.gen(function*() {
      const file = yield* path
      yield* use(file, work)
      changeVersion(file, engineVersion + 1)
      const { message } = yield* Effect.flip(use(file, Effect.void))
      assert.include(message, `written by version ${engineVersion + 1} of the engine`)
      changeVersion(file, engineVersion)
      yield* NodeManager.handOver({ path: file })
      changeVersion(file, engineVersion + 1)
      const found = yield* use(
        file,
        Effect.scoped(Effect.gen(function*() {
          return [yield* (yield* count).get, yield* (yield* jobs).take]
        }))
      )
      assert.deepStrictEqual(found, [1, 7])
    }).pipe(Effect.scoped))

  it.live("leaves no inputs in the file, and may be made again", () =>
    Effect.gen(function*() {
      const file = yield* path
      yield* use(file, work)
      for (let i = 0; i < 2; i++) {
        yield* NodeManager.handOver({ path: file })
        yield* Effect.scoped(Effect.gen(function*() {
          const { log } = yield* SqliteFile.open({ path: file })
          const { position } = Option.getOrThrow(yield* log.head("manager"))
          assert.strictEqual(Option.getOrThrow(yield* log.snapshot("manager")).position, position)
        }))
      }
    }).pipe(Effect.scoped))

  it.live("fails for a file that is not there, that has no manager, or that a manager uses, and changes nothing", () =>
    Effect.gen(function*() {
      const file = yield* path
      const handOver = Effect.map(Effect.flip(NodeManager.handOver({ path: file })), ({ message }) => message)
      assert.include(yield* handOver, "there is no such file")
      assert.isFalse(existsSync(file))
      yield* Effect.scoped(SqliteFile.open({ path: file }))
      assert.include(yield* handOver, "it has no manager")
      yield* use(
        file,
        Effect.gen(function*() {
          yield* work
          assert.include(yield* handOver, `process ${process.pid} of`)
        })
      )
    }).pipe(Effect.scoped))
})
