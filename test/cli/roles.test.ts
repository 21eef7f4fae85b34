/** `emp` with the keys of several roles. */
import { SharedRef } from "@effect-multiprocessing/core"
import { Schema } from "effect"
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { serve, type Served, start } from "./emp.ts"

const folder = mkdtempSync(join(tmpdir(), "emp-cli-"))
const fileOf = (role: string): string => join(folder, role)

let served: Served

beforeAll(async () => {
  served = await serve("--client-key-file", fileOf("client"), "--observer-key-file", fileOf("observer"))
  await served.run(SharedRef.make({ name: "app/Count", schema: Schema.Int, initial: 7 }))
})

afterAll(async () => {
  await served.end()
  rmSync(folder, { recursive: true })
})

const keys = (): ReadonlyArray<string> =>
  [served.keyFile, fileOf("client"), fileOf("observer")].map((file) => readFileSync(file, "utf8").trim())

const as = (role: string) => (command: string, ...args: ReadonlyArray<string>) =>
  start([command, ...args, "--socket", served.socket, "--key-file", fileOf(role)]).ended

describe("emp with an observer's key", () => {
  it("has a key file that only this user can read", () => {
    assert.strictEqual(statSync(fileOf("observer")).mode & 0o777, 0o600)
  })

  it.runIf(process.platform === "linux")(
    "has no key among the arguments of the manager, nor in its environment",
    () => {
      for (const file of ["cmdline", "environ"]) {
        const text = readFileSync(`/proc/${served.manager.process.pid}/${file}`, "utf8")
        for (const key of keys()) assert.notInclude(text, key)
      }
    }
  )

  it("shows values", async () => {
    assert.deepStrictEqual(await as("observer")("get", "app/Count"), { code: 0, out: "7\n", error: "" })
  })

  it("changes none, and says so in one line, with an exit code of its own and without a key", async () => {
    assert.lengthOf(new Set(keys()), 3)
    for (const [command, ...args] of [["set", "app/Count", "8"], ["rm", "app/Count"]]) {
      const { code, error, out } = await as("observer")(command!, ...args)
      assert.strictEqual(code, 5)
      assert.match(error, /^emp: .*app\/Count" is not permitted to this client, whose role is observer: .*\n$/)
      for (const key of keys()) assert.notInclude(error + out, key)
    }
    assert.strictEqual((await served.emp("get", "app/Count")).out, "7\n")
  })
})

it("emp with a client's key changes values, and removes nothing", async () => {
  assert.strictEqual((await as("client")("set", "app/Count", "9")).code, 0)
  assert.strictEqual((await as("client")("rm", "app/Count")).code, 5)
  assert.strictEqual((await served.emp("get", "app/Count")).out, "9\n")
})

it("emp shutdown ends the manager of an owner, and emp serve with 0; nobody else may", async () => {
  for (const role of ["observer", "client"]) assert.strictEqual((await as(role)("shutdown")).code, 5)
  assert.deepStrictEqual(await served.emp("shutdown"), { code: 0, out: "", error: "" })
  const { code, error } = await served.manager.ended
  assert.deepStrictEqual({ code, error }, { code: 0, error: "" })
})
