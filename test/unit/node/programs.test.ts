/** The programs that are bundled start fast, because they load one file and few modules of Node. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

const loadedBy = (file: string): ReadonlyArray<string> => {
  const text = readFileSync(new URL(`../../../packages/node/dist/programs/${file}`, import.meta.url), "utf8")
  return [...text.matchAll(/\b(?:require|import)\("([^"]+)"\)/g)].map(([, name]) => name!).toSorted()
}

describe("a bundled program", () => {
  it.each([
    ["manager.cjs", ["./managerProgram.cjs", "node:fs", "node:os"]],
    ["managerProgram.cjs", ["node:crypto", "node:fs", "node:net", "node:path", "node:util", "node:worker_threads"]],
    ["watchdog.cjs", ["node:fs"]]
  ])("%s loads nothing else", (file, loaded) => {
    assert.deepStrictEqual(loadedBy(file), loaded)
  })
})
