/**
 * `npm run mutants`: makes each bug of `bugs.ts` in a copy of the repository and runs its tests, of which one must fail.
 *
 * ```text
 *   npm run mutants               every bug, one after the other: about twenty minutes
 *   npm run mutants -- Gate hold  those whose names or files contain one of these texts
 * ```
 *
 * The exit code is 0 when each bug was found.
 */
import { spawn } from "node:child_process"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { copyRepository } from "../support/copyOfRepository.ts"
import { type Bug, bugs } from "./bugs.ts"

/** Milliseconds for one test, and for all tests of a bug. A bug that makes a test wait for ever is found. */
const testMs = 60_000
const testsMs = 300_000

/** Whether a test fails in a folder. One that cannot even be stopped has failed. */
const fails = (folder: string, tests: ReadonlyArray<string>): Promise<boolean> =>
  new Promise((resolve) => {
    const files = tests.map((test) => `test/${test}.test.ts`)
    const vitest = spawn("vitest", ["run", "--bail=1", `--testTimeout=${testMs}`, ...files], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "ignore"],
      // A group of its own, which is killed as a whole.
      detached: true
    })
    let output = ""
    vitest.stdout.setEncoding("utf8").on("data", (text) => output += text)
    const timer = setTimeout(() => process.kill(-vitest.pid!, "SIGKILL"), testsMs)
    vitest.on("close", (_, signal) => {
      clearTimeout(timer)
      resolve(signal === "SIGKILL" || /Tests +\d+ failed/.test(output))
    })
  })

/** Whether a test fails in the copy while the bug is there. */
const isFound = async (copy: string, { file, from, tests, to }: Bug): Promise<boolean> => {
  const path = join(copy, "packages", file)
  const source = readFileSync(path, "utf8")
  writeFileSync(path, source.replace(from, () => to))
  const found = await fails(copy, tests)
  writeFileSync(path, source)
  return found
}

const wanted = process.argv.slice(2)
const chosen = bugs.filter(({ file, name }) =>
  wanted.length === 0 || wanted.some((text) => name.includes(text) || file.includes(text))
)
const copy = copyRepository()
let living = 0
for (const bug of chosen) {
  const found = await isFound(copy, bug)
  if (!found) living++
  console.log(`${found ? "found" : "LIVES"}  ${bug.file}: ${bug.name}`)
}
rmSync(copy, { recursive: true })
console.log(`${chosen.length} bugs, ${living} not found`)
process.exitCode = chosen.length > 0 && living === 0 ? 0 : 1
