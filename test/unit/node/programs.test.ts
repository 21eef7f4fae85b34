/** The programs that are bundled start fast, because they load one file and few modules of Node. */
import { releaseOperation } from "#core/kind/names.ts"
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

const textOf = (file: string): string =>
  readFileSync(new URL(`../../../packages/node/dist/programs/${file}`, import.meta.url), "utf8")

const loadedBy = (file: string): ReadonlyArray<string> =>
  [...textOf(file).matchAll(/\b(?:require|import)\("([^"]+)"\)/g)].map(([, name]) => name!).toSorted()

describe("a bundled program", () => {
  it.each([
    ["manager.cjs", ["./managerProgram.cjs", "node:fs", "node:os"]],
    ["managerProgram.cjs", ["node:crypto", "node:fs", "node:net", "node:path", "node:util", "node:worker_threads"]],
    ["watchdog.cjs", ["node:fs"]]
  ])("%s loads nothing else", (file, loaded) => {
    assert.deepStrictEqual(loadedBy(file), loaded)
  })

  it("of a manager has no part of own kinds, which only run in the program of their user", () => {
    assert.notInclude(textOf("managerProgram.cjs"), releaseOperation)
  })
})
