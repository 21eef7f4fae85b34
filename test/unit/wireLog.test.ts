/** The wire logs of `npm run stress`: what a client has written by the moment at which it is killed. */
import { Manager, SharedRef } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { play, record } from "../stress/WireLog.ts"
import * as Memory from "../support/Memory.ts"

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "wire-log-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const operationsOf = (path: string) => play(path, "client").records.map(({ operation }) => operation)

describe("the wire log of a client", () => {
  it.live("has its calls; one that is cut off anywhere has those before, and one that was never begun has none", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const path = join(folder, "log")
      const memory = yield* Memory.make()
      const { manager } = yield* memory.connect({
        dial: (options) =>
          Effect.flatMap(
            memory.dial(options),
            (pair) => Effect.map(record(pair.client, path), (client) => ({ ...pair, client }))
          )
      })
      yield* Effect.gen(function*() {
        const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
        for (let n = 1; n <= 3; n++) yield* ref.add(n)
      }).pipe(Effect.provideService(Manager.Manager, manager))
      const whole = operationsOf(path)
      assert.deepStrictEqual(whole.filter((operation) => operation === "add"), ["add", "add", "add"])
      const bytes = readFileSync(path)
      const cut = join(folder, "cut")
      for (let length = bytes.length; length >= 0; length -= 31) {
        writeFileSync(cut, bytes.subarray(0, length))
        const before = operationsOf(cut)
        assert.deepStrictEqual(before, whole.slice(0, before.length))
      }
      assert.deepStrictEqual(operationsOf(join(folder, "never begun")), [])
    }).pipe(Effect.scoped))
})
