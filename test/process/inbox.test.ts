/** The line of instructions on a process's standard input. */
import { assert, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"

const inbox = new URL("../../packages/node/src/inbox.ts", import.meta.url).href

it("is read as it was written, also a long one whose characters are cut into pieces", () => {
  const line = `a${"あ".repeat(100_000)}\n`
  const program = `import { receiveLine } from "${inbox}"; process.stdout.write(receiveLine())`
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    input: line,
    encoding: "utf8"
  })
  assert.isTrue(stdout === line)
})
