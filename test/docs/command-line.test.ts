/** The sessions of docs/command-line.md: each command prints what the page says, in the order of the page. */
import { SharedMap, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { Effect, Schema } from "effect"
import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { contendedLock, program, serve, type Served } from "../cli/emp.ts"
import { asSaid, readPages } from "./pages.ts"

/** A command of the page, and what it prints. */
interface Command {
  readonly line: string
  readonly output: string
}

const [serving, ...commands] = readPages().find(({ path }) => path === "docs/command-line.md")!.fences
  .filter(({ language, text }) => language === "console" && text.startsWith("$ "))
  .flatMap(({ text }) =>
    text.split(/^\$ /m).slice(1).map((command): Command => {
      const [line = "", ...output] = command.split("\n")
      return { line, output: output.join("\n") }
    })
  )

let served: Served

beforeAll(async () => {
  served = await serve()
  const { folder } = served
  const execArgv = process.execArgv.map((arg) => `'${arg}'`).join(" ")
  writeFileSync(join(folder, "emp"), `#!/bin/sh\nexec '${process.execPath}' ${execArgv} '${program}' "$@"\n`, {
    mode: 0o755
  })
  await served.run(contendedLock("app/Deploy"))
  await served.run(Effect.gen(function*() {
    yield* SharedRef.make({ name: "app/Count", schema: Schema.Int, initial: 7 })
    const ages = yield* SharedMap.make({ name: "app/Ages", key: Schema.String, value: Schema.Number })
    yield* ages.set("ada", 36)
    const jobs = yield* SharedQueue.make({ name: "app/Jobs", item: Schema.Struct({ n: Schema.Int }), attempts: 1 })
    yield* jobs.offer({ n: 1 })
    yield* Effect.exit(jobs.process(() => Effect.fail("no disk")))
  }))
})

afterAll(() => served.end())

/** All that a command prints, and its exit code if that is not 0. */
const outputOf = (line: string): Promise<string> => {
  const { folder } = served
  const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}`, EMP_KEY_FILE: "./key" }
  return new Promise((resolve) => {
    execFile(
      "sh",
      ["-c", line],
      { cwd: folder, env },
      (error, stdout, stderr) => resolve(`${stdout}${stderr}${error === null ? "" : `exit code ${error.code}\n`}`)
    )
  })
}

describe("docs/command-line.md", () => {
  it("begins with the manager of the other commands", () => {
    assert.strictEqual(serving!.line, "emp serve --socket ./manager --key-file ./key --make-key-file")
    assert.strictEqual(serving!.output, "the manager listens at ./manager\n")
  })

  it.each(commands.map(({ line, output }) => [line, output] as const))("%s", async (line, said) => {
    const output = await outputOf(line)
    assert.strictEqual(output, asSaid(said, output))
  })
})
