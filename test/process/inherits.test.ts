/** What a worker has of its owner's command line, and how its entry is found. */
import { Process } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { sample } from "../support/budget.ts"
import * as Tasks from "./fixtures/tasks.ts"
import { fixture, startWith } from "./harness.ts"

const fixtures = new URL("./fixtures/", import.meta.url)

describe("a worker of a program that has changed its folder", () => {
  const near = `./${relative(process.cwd(), fileURLToPath(new URL("./fixtures/loaded.mjs", import.meta.url)))}`
  for (
    const options of sample([
      { env: { NODE_OPTIONS: `--require "${near}"` } },
      { env: { NODE_OPTIONS: `--import ${near}` } },
      { execArgv: ["--import", near] },
      { execArgv: ["-r", near] }
    ])
  ) {
    it.live(`has the program's arguments, its folder, and what ${JSON.stringify(options)} loads`, () =>
      Effect.gen(function*() {
        const program = yield* startWith(options, fixture("inherits"), "--factor", "10")
        assert.strictEqual((yield* program.exit).code, 0, program.output())
        assert.match(program.output(), /told: \{"factor":"10","folder":"\/","isLoaded":true\}/)
      }).pipe(Effect.scoped))
  }
})

describe("the entry of a worker", () => {
  /** A folder with an entry of this name. */
  const withEntry = (name: string) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const folder = mkdtempSync(join(fixtures.pathname, "entry-"))
        writeFileSync(join(folder, "package.json"), "{ \"type\": \"module\" }")
        const code = name.endsWith(".cjs") ? `import("../worker.ts")` : `import "../worker.ts"`
        writeFileSync(join(folder, name), code)
        return folder
      }),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    )

  const run = (entry: URL | string) =>
    Process.run(Tasks.Tasks, Tasks.Square, { n: 7 }).pipe(
      Effect.provide(Layer.provideMerge(
        NodeManager.layerSpawner(entry),
        Layer.merge(NodeManager.layer, NodeServices.layer)
      ))
    )

  for (
    const [named, file] of sample(
      [
        ["main.ts", "main.js"],
        ["main", "main.js"],
        ["main.ts", "main.mjs"],
        ["main.tsx", "main.js"],
        ["main.mts", "main.mjs"],
        ["main.cts", "main.cjs"]
      ] as const
    )
  ) {
    it.live(`may be named ${named} if it is ${file}`, () =>
      Effect.gen(function*() {
        const folder = yield* withEntry(file)
        assert.strictEqual(yield* run(relative(process.cwd(), join(folder, named))), 49)
      }).pipe(Effect.scoped))
  }

  it.live("that is missing is told with all names that it may have", () =>
    Effect.gen(function*() {
      const { message } = yield* Effect.flip(run(new URL("absent.mts", fixtures)))
      assert.match(message, /neither .*absent\.mts nor .*absent\.mjs exists/)
      const none = yield* Effect.flip(run(""))
      assert.include(none.message, "this program is no file")
    }))
})
