/** The recipes of docs/operations.md: the unit is one that systemd accepts, and what the recipes run is a manager. */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { sample } from "../support/budget.ts"
import { start, until } from "./emp.ts"

const page = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8")
const block = (language: string): string => new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, "m").exec(page)![1]!
const unit = block("ini")

const folder = mkdtempSync(join(tmpdir(), "emp-operations-"))
afterAll(() => rmSync(folder, { recursive: true }))

const hasSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0

/** What each recipe runs. */
const commands: Readonly<Record<string, ReadonlyArray<string>>> = {
  "unit": /^ExecStart=\/usr\/bin\/env (.*)$/m.exec(unit)![1]!.split(" "),
  "container": JSON.parse(/^ENTRYPOINT (.*)$/m.exec(block("dockerfile"))![1]!)
}

describe("the page on operations", () => {
  it.runIf(hasSystemd)("has a unit that systemd accepts", () => {
    const file = join(folder, "emp.service")
    writeFileSync(file, unit)
    assert.strictEqual(execFileSync("systemd-analyze", ["verify", file], { encoding: "utf8" }), "")
  })

  it.each(sample(Object.entries(commands)))(
    "runs a manager by its %s, which ends with 0 at SIGTERM",
    async (name, command) => {
      assert.deepStrictEqual(command.slice(0, 2), ["emp", "serve"])
      const inside = (path: string): string => path.replace("/run/emp/", `${folder}/${name}-`)
      const serving = start(command.slice(1).map(inside))
      await until(serving, () => serving.out().includes("\n"))
      assert.include(serving.out(), `the manager listens at ${inside("/run/emp/manager")}\n`)
      assert.strictEqual(statSync(inside("/run/emp/key")).mode & 0o777, 0o600)
      serving.process.kill("SIGTERM")
      assert.strictEqual((await serving.ended).code, 0)
    }
  )
})
