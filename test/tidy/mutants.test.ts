/** The bugs that `npm run mutants` makes can be made: what they change stands where they say. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "vitest"
import { bugs } from "../mutants/bugs.ts"

const root = join(import.meta.dirname, "../..")

it.each(bugs)("the place of a bug stands there once, and its tests exist: $name", ({ file, from, tests, to }) => {
  assert.lengthOf(readFileSync(join(root, "packages", file), "utf8").split(from), 2)
  assert.notStrictEqual(from, to)
  for (const test of tests) assert.isTrue(existsSync(join(root, "test", `${test}.test.ts`)), test)
})

it("each bug has a name of its own", () => {
  assert.strictEqual(new Set(bugs.map(({ name }) => name)).size, bugs.length)
})
