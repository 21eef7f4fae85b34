/** The benchmark as a program: it reports skipped comparisons, and leaves nothing behind. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { sample } from "../support/budget.ts"
import { allGone, descendants, start, waitUntil } from "./harness.ts"

const program = new URL("../../bench/main.ts", import.meta.url)

const bench = (args: ReadonlyArray<string>, PATH = process.env["PATH"]) =>
  spawnSync(process.execPath, [...process.execArgv, fileURLToPath(program), ...args], {
    encoding: "utf8",
    env: { ...process.env, PATH }
  })

const isInstalled = (command: string): boolean => spawnSync(command, ["--version"]).status === 0

describe("the benchmark", () => {
  it.each([
    ["node-redis", "redis-server"],
    ["python-manager", "python3"]
  ])("names %s as skipped where %s is not installed", (peer, needs) => {
    const { status, stdout } = bench(["--only", `ref.get@1x1/${peer}`], "/nowhere")
    assert.include(stdout, `skipped: ${peer} (${needs} is not installed)`)
    assert.strictEqual(status, 0)
  })

  it.each([
    [["--quack"], "--quack"],
    [["--only", "quack"], "no comparison has \"quack\" in its key"],
    [["--quick", "--write-docs"], "--write-docs needs all comparisons"]
  ])("refuses %j", (args, issue) => {
    const { status, stderr } = bench(args)
    assert.include(stderr, issue)
    assert.strictEqual(status, 1)
  })

  describe.each(sample(
    [
      ["python-manager", "python3", "python_manager.py"],
      ["node-redis", "redis-server", "redis-server"]
    ] as const
  ))("against %s", (peer, needs, command) => {
    it.live.skipIf(!isInstalled(needs))(
      "leaves no process behind on Ctrl-C",
      () =>
        Effect.gen(function*() {
          const run = yield* start(program, "--only", `ref.get@1x4/${peer}`)
          const commands = () => descendants(run.pid).map(({ command }) => command).join("\n")
          yield* waitUntil("both sides are there", () =>
            ["client.ts", command].every((name) => commands().includes(name)))
          const all = descendants(run.pid)
          run.process.kill("SIGINT")
          assert.strictEqual((yield* run.exit).code, 130)
          yield* allGone(all)
        }).pipe(Effect.scoped)
    )
  })
})
