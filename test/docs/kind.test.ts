/**
 * The kind of CONTRIBUTING.md is added to a copy of the repository as the page says, four files and one line, and passes
 * what the page says tests it: nothing else has to know of it.
 */
import { exec } from "node:child_process"
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { sample } from "../support/budget.ts"
import { copyRepository } from "../support/copyOfRepository.ts"
import { additionTo, type Fence, pathOf, readPages, root } from "./pages.ts"

const { fences } = readPages().find(({ path }) => path === "CONTRIBUTING.md")!

/** The texts of the fences that belong into a file, with its path. */
const shown = (placeOf: (fence: Fence) => string | undefined) =>
  fences.flatMap((fence) => {
    const path = placeOf(fence)
    return path === undefined ? [] : [{ path, text: fence.text }]
  })

const files = shown(pathOf)
const additions = shown(additionTo)
const [format, ...tests] = fences.find(({ text }) => text.includes("--mutants"))!.text.trim().split("\n")

/** Prints nothing but the linter's result if the kind compiles. */
const compiler = "tsc -b packages/core --singleThreaded && oxlint --deny-warnings"

const copy = copyRepository()

const PATH = `${join(root, "node_modules/.bin")}${delimiter}${process.env["PATH"]}`
// One worker loads the sources once.
const env = { ...process.env, PATH, NO_COLOR: "1", VITEST_MAX_WORKERS: "1" }

/** All that a command prints, and its exit code if that is not 0. */
const outputOf = (command: string): Promise<string> =>
  new Promise((resolve) =>
    exec(
      command,
      { cwd: copy, env },
      (error, stdout, stderr) => resolve(`${stdout}${stderr}${error === null ? "" : `exit code ${error.code}`}`)
    )
  )

describe("the kind of CONTRIBUTING.md", () => {
  beforeAll(() => {
    for (const { path, text } of files) writeFileSync(join(copy, path), text)
    for (const { path, text } of additions) appendFileSync(join(copy, path), text)
  })

  afterAll(() => rmSync(copy, { recursive: true, force: true }))

  it("takes four new files and one line", () => {
    assert.strictEqual(files.length, 4)
    assert.deepStrictEqual(additions.map(({ text }) => text.trim().split("\n").length), [1])
  })

  it.each([format!, ...sample([...tests, compiler])])("passes %s", async (command) => {
    const output = await outputOf(command)
    assert.notInclude(output, "exit code")
    if (command.startsWith("npm test")) assert.match(output, /Tests +[1-9]\d* passed/)
    if (command.startsWith("npm run sim")) assert.match(output, /\b0 (?:failed|not found)$/m)
    if (command === compiler) assert.match(output, /^Found 0 warnings and 0 errors\./)
  })

  it("is formatted as it stands in the page", () => {
    for (const { path, text } of files) assert.strictEqual(readFileSync(join(copy, path), "utf8"), text)
  })
})
