/** The demo, as a person runs it, on a small tree. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { sample } from "../support/budget.ts"
import { start } from "./harness.ts"

const census = new URL("../../examples/02_census/main.ts", import.meta.url)

/** A folder of many small files, whose words are in no order, and one that cannot be read. */
const tree = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "emp-demo-"))
    for (let i = 0; i < 200; i++) writeFileSync(join(folder, `file${i}.ts`), `let zero = second; ${"word ".repeat(i)}`)
    symlinkSync("nowhere", join(folder, "broken.ts"))
    return folder
  }),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const demo = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
  const program = yield* start(census, ...args)
  const { code } = yield* program.exit
  return { code, output: program.output() }
})

describe("the demo", () => {
  it.live("counts, reports unreadable files, and verifies", () =>
    Effect.gen(function*() {
      const { code, output } = yield* demo(yield* tree, "--workers", "3")
      assert.strictEqual(code, 0, output)
      assert.include(output, "could not be read")
      assert.include(output, "201 files (1 unreadable)")
      assert.include(output, "progress: 201/201 files")
      assert.include(output, "verified: equals the single-process count")
    }).pipe(Effect.scoped))

  it.live("verifies although a worker is killed, whose delivery comes back (R-3)", () =>
    Effect.gen(function*() {
      const { code, output } = yield* demo(yield* tree, "--kill")
      assert.strictEqual(code, 0, output)
      assert.match(output, /killed worker-\d+ \(pid \d+\) with SIGKILL while it held 1 delivery/)
      assert.match(output, /[1-9]\d* delivery came back/)
      assert.include(output, "\nverified: equals")
    }).pipe(Effect.scoped))

  it.live("does not verify a sabotaged result", () =>
    Effect.gen(function*() {
      const { code, output } = yield* demo(yield* tree, "--sabotage")
      assert.strictEqual(code, 2, output)
      assert.include(output, "NOT verified")
    }).pipe(Effect.scoped))

  it.live("explains its options, and counts nothing then", () =>
    Effect.gen(function*() {
      const { code, output } = yield* demo("--help")
      assert.strictEqual(code, 0, output)
      assert.match(output, /^usage: npm run demo/)
      for (const option of ["--workers N", "--kill", "--sabotage", "--help"]) assert.include(output, `\n  ${option} `)
      assert.notInclude(output, "counting")
    }).pipe(Effect.scoped))

  it.live("reports wrong arguments in one line", () =>
    Effect.gen(function*() {
      const mistakes = [["/nonexistent/folder"], ["--workers", "0"], ["--workers", "1", "--kill"], ["--bogus"]]
      for (const args of sample(mistakes)) {
        const { code, output } = yield* demo(...args)
        assert.strictEqual(code, 1, output)
        assert.strictEqual(output.trim().split("\n").length, 1, output)
      }
    }).pipe(Effect.scoped))
})
