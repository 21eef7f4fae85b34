/** A program never starts itself without end, and what its children inherit of its command line is no program. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { sample } from "../support/budget.ts"
import { fixture, start, startWith } from "./harness.ts"

const depths = (output: string) => output.match(/(?<=depth )\d/g)

describe("a worker whose entry does not call runMain", () => {
  for (const args of sample([[], ["--server"]])) {
    for (const execArgv of sample([["--test"], []])) {
      it.live(`ends before it starts anything, and says so: ${[...execArgv, "node", ...args].join(" ")}`, () =>
        Effect.gen(function*() {
          const program = yield* startWith({ execArgv }, fixture("noRunMain"), ...args)
          yield* program.exit
          assert.deepStrictEqual(depths(program.output()), ["0", "1"], program.output())
          assert.match(program.output(), /its entry .*noRunMain\.ts starts a manager or a process before it has called/)
          assert.match(program.output(), /Square-1 \(pid \d+\) ended with code 1 before Square had a result/)
        }).pipe(Effect.scoped))
    }
  }
})

describe("a program that is no file", () => {
  const code = `
    import { Manager } from "@effect-multiprocessing/core"
    import { NodeManager } from "@effect-multiprocessing/node"
    import { Console, Effect } from "effect"
    NodeManager.runMain(Effect.flatMap(Manager.Manager, ({ counts }) => Effect.andThen(counts, Console.log("it runs"))))`

  for (const options of sample([["--input-type", "module", "--eval"], ["--input-type=module", "-e"]])) {
    it(`has a manager that does not run it again: node ${options.join(" ")}`, () => {
      const { stderr, stdout } = spawnSync(process.execPath, [...process.execArgv, ...options, code], {
        encoding: "utf8",
        cwd: fileURLToPath(new URL("../..", import.meta.url))
      })
      assert.strictEqual(stdout, "it runs\n", stderr)
    })
  }
})

it("runMain says that what it was given is no Effect of this copy of effect", () => {
  const code = `
    import { NodeManager } from "@effect-multiprocessing/node"
    NodeManager.runMain({ _op: "an Effect of another copy" })`
  const { status, stderr } = spawnSync(process.execPath, [...process.execArgv, "--input-type=module", "-e", code], {
    encoding: "utf8",
    cwd: fileURLToPath(new URL("../..", import.meta.url))
  })
  assert.match(stderr, /^runMain was not given an Effect of the copy of effect that .* `npm ls effect`/)
  assert.strictEqual(status, 1)
})

describe("what the program loads with --import", () => {
  it.live("is loaded in its workers, once, and not in the manager", () =>
    Effect.gen(function*() {
      const counted = fileURLToPath(new URL("./fixtures/counted.mjs", import.meta.url))
      for (
        const options of [
          { execArgv: ["--import", counted] },
          { execArgv: [`--require=${counted}`] },
          { env: { NODE_OPTIONS: `--conditions=x  --import "${counted}"` } }
        ]
      ) {
        const program = yield* startWith(options, fixture("debugged"))
        assert.strictEqual((yield* program.exit).code, 0, program.output())
        const loaded = [...program.output().matchAll(/loaded in .*\/(.*)/g)].map(([, file]) => file)
        assert.deepStrictEqual(loaded, ["debugged.ts", "debugged.ts"])
      }
    }).pipe(Effect.scoped))
})

describe("the manager's key", () => {
  it.live("is not where code at a worker's top level can see it, or pass it on", () =>
    Effect.gen(function*() {
      const program = yield* start(fixture("topLevel"))
      yield* program.exit
      assert.include(program.output(), "the key is not visible")
      assert.include(program.output(), "[Look-1] a forked process is a main program")
    }).pipe(Effect.scoped))
})
