/** Processes whose event loop stands still while they hold a lock, over a network (S-6, S-22). */
import { Manager, SharedLock, SharedRef } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fixture, startWith, waitUntil } from "./harness.ts"

const key = "abracadabra"

/** A manager, and a process that computes under its lock. Waits until it does, and then for the lock. */
const meet = (until: string, maxStall: string, release: () => void = () => {}) =>
  Effect.gen(function*() {
    const layer = NodeManager.layerServer({ key: Redacted.make(key), address: { host: "127.0.0.1", port: 0 } })
    const manager = Context.get(yield* Layer.build(Layer.fresh(layer)), Manager.Manager)
    return yield* Effect.gen(function*() {
      const lock = yield* SharedLock.make({ name: "lock" })
      const progress = yield* SharedRef.make({ name: "progress", schema: Schema.String, initial: "idle" })
      const args = [manager.endpoint!.urls![0]!, until, maxStall]
      const holder = yield* startWith({ env: { STALLED_KEY: key } }, fixture("stalled"), ...args)
      yield* progress.untilEquals("computes")
      const next = yield* lock.withHold(({ abandoned }) =>
        Effect.map(progress.get, (progress) => ({ abandoned, progress }))
      )
      release()
      yield* waitUntil("the holder has ended", () => holder.output().includes("\n"))
      return { ...next, output: holder.output().trim() }
    }).pipe(Effect.provideService(Manager.Manager, manager))
  })

describe("a process that computes while it holds a lock", () => {
  it.live("for six times its grace keeps the lock", () =>
    Effect.map(
      meet("3000", "1 minute"),
      (met) => assert.deepStrictEqual(met, { abandoned: false, progress: "has computed", output: "held" })
    ))

  it.live("for longer than its maxStall and its grace loses the lock, and what it writes later is refused", () =>
    Effect.gen(function*() {
      const folder = mkdtempSync(join(tmpdir(), "emp-stalls-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const file = join(folder, "go on")
      const met = yield* meet(file, "500 millis", () => writeFileSync(file, ""))
      assert.deepStrictEqual(met, { abandoned: true, progress: "computes", output: "LockLost" })
    }))
})
