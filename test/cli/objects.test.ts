/** `emp serve`, `emp ls`, `emp inspect` and `emp rm`, and what is common to all commands: keys, help, exit codes. */
import { SharedRef } from "@effect-multiprocessing/core"
import { Schema } from "effect"
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { contendedLock, serve, type Served, start } from "./emp.ts"

let served: Served

beforeAll(async () => {
  served = await serve()
  await served.run(SharedRef.make({ name: "count", schema: Schema.Int, initial: 7 }))
  await served.run(contendedLock("deploy"))
})

afterAll(async () => {
  await served.end()
})

describe("emp serve", () => {
  it("makes a key file that only its user can read, and says where it listens", () => {
    assert.strictEqual(statSync(served.keyFile).mode & 0o777, 0o600)
    assert.match(readFileSync(served.keyFile, "utf8"), /^[0-9a-f]{64}\n$/)
    assert.strictEqual(served.manager.out(), `the manager listens at ${served.socket}\n`)
  })

  it("keeps a key file that is there", async () => {
    const before = readFileSync(served.keyFile, "utf8")
    const { code, error } = await served.emp("serve", "--make-key-file")
    assert.strictEqual(code, 1)
    assert.match(error, /^emp: cannot start a manager at .*\n$/)
    assert.strictEqual(readFileSync(served.keyFile, "utf8"), before)
  })

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`ends at ${signal}, with 0 and without its socket`, async () => {
      const other = await serve()
      other.manager.process.kill(signal)
      assert.deepStrictEqual(await other.manager.ended, {
        code: 0,
        out: `the manager listens at ${other.socket}\n`,
        error: ""
      })
      assert.throws(() => statSync(other.socket))
      await other.end()
    })
  }

  it("refuses kinds that are not exported", async () => {
    const module = join(served.folder, "kinds.mjs")
    writeFileSync(module, "export const other = []")
    const { code, error } = await served.emp("serve", "--kinds", module)
    assert.strictEqual(code, 2)
    assert.strictEqual(error, `emp: ${module} must export its kinds as an array: export const kinds = [...]\n`)
  })
})

describe("emp ls", () => {
  it("lists the objects in a table", async () => {
    const { code, error, out } = await served.emp("ls")
    assert.deepStrictEqual([code, error], [0, ""])
    assert.deepStrictEqual(out.split("\n"), [
      "NAME    KIND  HELD  WAITING  WATCHERS  REFERENCES",
      "count   Ref      0        0         0           1",
      "deploy  Lock     1        1         0           1",
      ""
    ])
  })

  it("lists them as JSON", async () => {
    const { out } = await served.emp("ls", "--json")
    const rows = out.trim().split("\n").map((line) => JSON.parse(line))
    assert.deepStrictEqual(rows.map(({ kind, name }) => [name, kind]), [["count", "Ref"], ["deploy", "Lock"]])
  })
})

describe("emp inspect", () => {
  it("shows the holder and the waiter of a lock", async () => {
    const { code, out } = await served.emp("inspect", "deploy")
    assert.strictEqual(code, 0)
    const [title, numbers, , , holder, , , waiter] = out.split("\n")
    assert.match(title!, /^Lock deploy \(#\d+\)$/)
    assert.strictEqual(numbers, "held 1, waiting 1, watchers 0, references 1")
    assert.match(holder!, new RegExp(`^worker +${process.pid} +\\d+ +owner +\\d+ +\\d+s$`))
    assert.match(waiter!, new RegExp(`^worker +${process.pid} +\\d+ +owner +acquire +\\d+s$`))
  })

  it("shows the schema, and all as JSON", async () => {
    assert.include((await served.emp("inspect", "count")).out, "schema: Number & isInt\n")
    const shown = JSON.parse((await served.emp("inspect", "deploy", "--json")).out)
    assert.deepStrictEqual([shown.name, shown.holders.length, shown.waiters[0].operation], ["deploy", 1, "acquire"])
  })

  it("says that there is no such object, with 3", async () => {
    const { code, error, out } = await served.emp("inspect", "no such")
    assert.deepStrictEqual([code, error, out], [3, "emp: there is no object named \"no such\"\n", ""])
  })
})

describe("emp rm", () => {
  it("removes an object", async () => {
    await served.run(SharedRef.make({ name: "gone", schema: Schema.Int, initial: 7 }))
    assert.deepStrictEqual(await served.emp("rm", "gone"), { code: 0, out: "", error: "" })
    assert.strictEqual((await served.emp("rm", "gone")).code, 3)
  })
})

describe("a key", () => {
  const list = (env: NodeJS.ProcessEnv, ...more: ReadonlyArray<string>) =>
    start(["ls", "--socket", served.socket, ...more], env).ended

  it("is taken from the environment, or from the file that it names", async () => {
    assert.strictEqual((await list({ EMP_KEY: readFileSync(served.keyFile, "utf8").trim() })).code, 0)
    assert.strictEqual((await list({ EMP_KEY_FILE: served.keyFile })).code, 0)
    // The option comes first.
    assert.strictEqual((await list({ EMP_KEY: "wrong" }, "--key-file", served.keyFile)).code, 0)
  })

  it("that is missing is wrong usage, with 2", async () => {
    const { code, error } = await list({})
    assert.strictEqual(code, 2)
    assert.match(error, /^emp: the key of the manager is missing\. .*\n$/)
  })

  it("that is wrong is refused, with 4, and not shown", async () => {
    const { code, error } = await list({ EMP_KEY: "wr0ng" })
    assert.strictEqual(code, 4)
    assert.match(error, /^emp: the manager at .* refused the connection: the key is wrong.*\n$/)
    assert.notInclude(error, "wr0ng")
  })

  it("in a file that others can read is refused", async () => {
    const file = join(served.folder, "open")
    writeFileSync(file, "key")
    chmodSync(file, 0o644)
    const { code, error } = await list({ EMP_KEY_FILE: file })
    assert.strictEqual(code, 1)
    assert.match(error, /^emp: the key file [^\n]* is open to other users\.[^\n]*\n$/)
  })

  it("in a file that is empty or absent is refused", async () => {
    const file = join(served.folder, "empty")
    writeFileSync(file, "\n", { mode: 0o600 })
    assert.match((await list({ EMP_KEY_FILE: file })).error, /^emp: the key file [^\n]* is empty\n$/)
    assert.match(
      (await list({ EMP_KEY_FILE: join(served.folder, "none") })).error,
      /^emp: cannot read [^\n]*ENOENT[^\n]*\n$/
    )
  })
})

describe("a command line", () => {
  it("to a manager that does not run fails with 4", async () => {
    const { code, error } = await start(["ls", "--socket", join(served.folder, "none")], { EMP_KEY: "key" }).ended
    assert.strictEqual(code, 4)
    assert.match(error, /^emp: cannot connect to the manager at .*\n$/)
  })

  it("that is wrong says so in one line, with 2", async () => {
    for (const args of [["foo"], ["inspect", "--socket", "x"], ["ls", "--socket", "x", "--foo"]]) {
      const { code, error, out } = await start(args).ended
      assert.deepStrictEqual([code, out], [2, ""], args.join(" "))
      assert.match(error, /^emp: [^\n]* See emp[^\n]* --help\n$/)
    }
  })

  it("asks for help, with examples, with the version, and completes in a shell", async () => {
    const help = await start(["inspect", "--help"]).ended
    assert.strictEqual(help.code, 0)
    assert.include(help.out, "EXAMPLES")
    assert.match((await start(["--version"]).ended).out, /^emp v\d+\.\d+\.\d+\n$/)
    assert.include((await start(["--completions", "bash"]).ended).out, "inspect")
  })
})
