/** Every example runs as its user starts it, with real processes, and prints the lines of its header. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { start, startWith, waitUntil } from "../process/harness.ts"
import { sample } from "../support/budget.ts"
import { makeCertificate } from "../support/certificates.ts"
import { matches, type Run, runsOf } from "./header.ts"

const folder = join(import.meta.dirname, "../../examples")

/** Examples with a test of their own: in test/docs, test/process, beside this file, and below. */
const apart = [
  "01_quickstart",
  "02_census",
  "10_three_programs.ts",
  "30_network.ts",
  "32_two_machines.ts",
  "40_http_server",
  "50_two_machines"
]

const names = readdirSync(folder).filter((name) => /^\d/.test(name))

/** The program of an example: the example itself, or the main program in its folder. */
const programOf = (name: string): string => name.endsWith(".ts") ? name : `${name}/main.ts`

const sourceOf = (name: string): string => readFileSync(join(folder, name), "utf8")

/** Returns the output of a program. Fails if the program fails or prints errors. */
const run = (name: string, { args }: Run): Promise<string> =>
  new Promise((resolve, reject) => {
    const program = [...process.execArgv, join(folder, name), ...args]
    execFile(process.execPath, program, (error, stdout, stderr) => {
      if (error === null && stderr === "") resolve(stdout)
      else reject(new Error(`${name} ${args.join(" ")} failed (${error?.code}):\n${stdout}${stderr}`))
    })
  })

describe("an example", () => {
  it("has a number of its own", () => {
    const numbers = names.map((name) => name.slice(0, 2))
    assert.deepStrictEqual(numbers, [...new Set(numbers)])
  })

  const programs = names.filter((name) => !apart.includes(name)).map(programOf)

  it.each(programs)("%s says in its header how it is run", (name) => {
    assert.isAbove(runsOf(sourceOf(name)).length, 0)
    assert.include(sourceOf(name), `$ npm run example examples/${name}`)
  })

  const runs = programs.flatMap((name) => runsOf(sourceOf(name)).map((run) => [name, run.args.join(" "), run] as const))

  it.each(sample(runs))("%s %s prints what its header says", async (name, _, run_) => {
    const output = await run(name, run_)
    assert.isTrue(matches(run_.lines, output), `it printed\n${output}and not\n${run_.lines.join("\n")}`)
  })

  it.live("of three programs that are started separately shares their queue (SEED-31, 32)", () =>
    Effect.gen(function*() {
      const name = "10_three_programs.ts"
      const program = pathToFileURL(join(folder, name))
      const [serve, put, get] = runsOf(sourceOf(name))
      const private_ = yield* temporary
      const path = join(private_, "socket")
      const server = yield* start(program, serve!.args[0]!, path)
      yield* waitUntil("it serves", () => matches(serve!.lines, server.output()))
      for (const { args, lines } of [put!, get!]) {
        const client = yield* start(program, args[0]!, path)
        yield* client.exit
        assert.isTrue(matches(lines, client.output()), client.output())
      }
    }).pipe(Effect.scoped))

  it.live("of two programs that are started separately shares their queue at a port (SEED-31, 32, 42)", () =>
    Effect.gen(function*() {
      const name = "30_network.ts"
      const program = pathToFileURL(join(folder, name))
      const [serve, client] = runsOf(sourceOf(name))
      const server = yield* start(program, serve!.args[0]!)
      yield* waitUntil("it serves", () => matches(serve!.lines, server.output()))
      const { exit, output } = yield* start(program, /emp:\S+/.exec(server.output())![0])
      yield* exit
      assert.isTrue(matches(client!.lines, output()), output())
    }).pipe(Effect.scoped))

  it.live("of three programs on two machines shares their queue and their dictionary by TLS (SEED-31, 32, 42)", () =>
    Effect.gen(function*() {
      const name = "32_two_machines.ts"
      const program = pathToFileURL(join(folder, name))
      const [serve, work] = runsOf(sourceOf(name))
      const private_ = yield* temporary
      const authority = makeCertificate({ name: "an authority" })
      const own = makeCertificate({ name: "server", hosts: ["localhost", hostname()], issuer: authority })
      const files = { "ca.pem": authority.cert, "server.pem": own.cert, "server-key.pem": own.key, key: "a key" }
      for (const [file, text] of Object.entries(files)) writeFileSync(join(private_, file), text, { mode: 0o600 })
      const server = yield* start(program, "serve", private_, "0")
      yield* waitUntil("it serves", () => matches(serve!.lines.slice(0, 1), server.output()))
      const [, port] = /emps:\S+:(\d+)/.exec(server.output())!
      const env = {
        // This machine may not know its own name.
        EMP_URL: `emps://localhost:${port}`,
        EMP_KEY_FILE: join(private_, "key"),
        EMP_CA: join(private_, "ca.pem"),
        EMP_GRACE: "10 seconds"
      }
      const workers = [yield* startWith({ env }, program, "work"), yield* startWith({ env }, program, "work")]
      for (const { exit, output } of workers) {
        yield* exit
        assert.isTrue(matches(work!.lines, output()), output())
      }
      yield* waitUntil("it has all", () => matches(serve!.lines, server.output()))
    }).pipe(Effect.scoped))
})

/** A folder for the life of the scope. */
const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "emp-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)
