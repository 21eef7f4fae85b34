/** The sessions of docs/command-line.md: each command prints what the page says, in the order of the page. */
import { SharedLock, SharedMap, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Effect, ManagedRuntime, Redacted, Schema, Scope } from "effect"
import { execFile } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { program, serve, type Served } from "../cli/emp.ts"
import { untilWaiting } from "../support/untilWaiting.ts"
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
const scope = Scope.makeUnsafe()

beforeAll(async () => {
  served = await serve()
  const { folder, keyFile, socket } = served
  const execArgv = process.execArgv.map((arg) => `'${arg}'`).join(" ")
  writeFileSync(join(folder, "emp"), `#!/bin/sh\nexec '${process.execPath}' ${execArgv} '${program}' "$@"\n`, {
    mode: 0o755
  })
  const key = Redacted.make(readFileSync(keyFile, "utf8").trim())
  const runtime = ManagedRuntime.make(NodeManager.layerClient({ path: socket, key, name: "worker" }))
  await runtime.runPromise(
    Effect.gen(function*() {
      const lock = yield* SharedLock.make({ name: "app/Deploy" })
      yield* Effect.forkIn(lock.withLock(Effect.never), scope)
      yield* Effect.forkIn(lock.withLock(Effect.never), scope)
      yield* untilWaiting(lock, 1)
      yield* SharedRef.make({ name: "app/Count", schema: Schema.Int, initial: 7 })
      const ages = yield* SharedMap.make({ name: "app/Ages", key: Schema.String, value: Schema.Number })
      yield* ages.set("ada", 36)
      const item = Schema.Struct({ n: Schema.Int })
      const jobs = yield* SharedQueue.make({ name: "app/Jobs", item, attempts: 1 })
      yield* jobs.offer({ n: 1 })
      yield* Effect.exit(jobs.process(() => Effect.fail("no disk")))
    }).pipe(Effect.provideService(Scope.Scope, scope))
  )
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
