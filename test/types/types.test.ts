/**
 * The compiler rejects mistakes for the intended reason, and a large group of tasks is cheap for it. `npm run check`
 * compiles `accepted.ts`.
 */
import { execFile } from "node:child_process"
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { sample } from "../support/budget.ts"
import { copyLibrary } from "../support/copyOfLibrary.ts"

/** Git ignores this folder, and so do all tools that read the whole repository. */
const generated = join(import.meta.dirname, ".generated", "dist")

beforeAll(() => {
  rmSync(generated, { recursive: true, force: true })
  copyLibrary(generated)
})
afterAll(() => rmSync(join(generated, ".."), { recursive: true, force: true }))

const run = promisify(execFile)

/** The output of the compiler for files. */
const compile = async (config: string, files: ReadonlyArray<string>): Promise<string> => {
  const extended = { extends: "../../../../tsconfig.programs.json", include: [], references: [] }
  writeFileSync(
    join(generated, config),
    JSON.stringify({ ...extended, compilerOptions: { incremental: false, tsBuildInfoFile: null }, files })
  )
  const tsc = join(import.meta.dirname, "../../node_modules/.bin/tsc")
  // Several threads check what they share more than once: alone it takes half the work.
  const args = ["-p", join(generated, config), "--pretty", "false", "--extendedDiagnostics", "--singleThreaded"]
  return run(tsc, args, { cwd: generated, shell: process.platform === "win32" }).then(
    ({ stdout }) => stdout,
    ({ stdout }) => stdout
  )
}

const directive = /^\s*\/\/ @ts-expect-error (TS\d+) (.*)$/

describe("a mistake", () => {
  it("does not compile, for the intended reason, and nothing else is rejected", async () => {
    const lines = readFileSync(join(import.meta.dirname, "rejected.ts"), "utf8").split("\n")
    const meant = lines.flatMap((line, i) => {
      const [, code, message] = directive.exec(line) ?? []
      // Lines are counted from 1, and the mistake is in the next one.
      return code === undefined ? [] : [{ line: i + 2, code, message }]
    })
    assert.isAbove(meant.length, 20)
    const bare = lines.map((line) => line.replace("@ts-expect-error", ""))
    writeFileSync(join(generated, "rejected.ts"), bare.join("\n"))
    cpSync(join(import.meta.dirname, "shared.ts"), join(generated, "shared.ts"))
    const output = await compile("rejected.json", ["rejected.ts"])
    // A message continues in indented lines.
    const said = output.split(/\n(?=\S)/).flatMap((text) => {
      const [, file, line, code, message] = /^(.*)\((\d+),\d+\): error (TS\d+): ([^]*)$/.exec(text) ?? []
      return file === undefined ? [] : [{ file, line: Number(line), code, message }]
    })
    const found = said.map(({ code, file, line, message }) => {
      const wanted = meant.find((mistake) => mistake.line === line)?.message
      return { file, line, code, message: message?.includes(wanted ?? "?") ? wanted : message }
    })
    assert.deepStrictEqual(found, meant.map((mistake) => ({ file: "rejected.ts", ...mistake })))
  })
})

/** A program with a group of `size` tasks. Each has a handler that needs a service, and is run. */
const program = (size: number): string => {
  const each = (line: (i: number) => string) => Array.from({ length: size }, (_, i) => line(i)).join("\n")
  return `
import { Process, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { Effect, Schema } from "effect"
class Done extends SharedRef.Service<Done>()("types/Done", { schema: Schema.Int, initial: 0 }) {}
${
    each((i) =>
      `const Task${i} = Task.make("Task${i}", { payload: { n: Schema.Int }, success: Schema.Struct({ n${i}: Schema.Int }) })`
    )
  }
export const Tasks = TaskGroup.make("types", { tasks: [${each((i) => `Task${i},`)}] })
export const layer = Tasks.toLayer({
${each((i) => `Task${i}: Effect.fn(function*({ n }) { yield* Effect.orDie((yield* Done).get); return { n${i}: n } }),`)}
})
${each((i) => `export const run${i} = Process.run(Tasks, Task${i}, { n: ${i} })`)}
`
}

/** A program with an own kind of `size` operations, each of which is called. */
const kind = (size: number): string => {
  const each = (line: (i: number) => string) => Array.from({ length: size }, (_, i) => line(i)).join("\n")
  return `
import { Kind, SharedObject } from "@effect-multiprocessing/core"
import { Effect, Schema } from "effect"
class Refused extends Schema.TaggedError<Refused>()("Refused", { n: Schema.Int }) {}
const Account = Kind.make("types/Account", {
  state: Schema.Struct({ n: Schema.Int }),
  initial: { n: 0 },
  operations: {
${each((i) => `add${i}: Kind.change({ payload: { n: Schema.Int }, success: Schema.Int, error: Refused }),`)}
  },
  transitions: {
${
    each((i) =>
      `add${i}: (state, { n }) => n === 0 ? Kind.fail(new Refused({ n })) : Kind.reply({ n: state.n + n }, n),`
    )
  }
  }
})
export class Savings extends SharedObject.Service<Savings>()("types/Savings", Account) {}
${each((i) => `export const add${i} = Effect.flatMap(Savings, (savings) => savings.add${i}({ n: ${i} }))`)}
`
}

/** A program with an actor of `size` methods, each of which has a handler and is called. */
const actor = (size: number): string => {
  const each = (line: (i: number) => string) => Array.from({ length: size }, (_, i) => line(i)).join("\n")
  return `
import { Actor, SharedRef } from "@effect-multiprocessing/core"
import { Effect, Schema } from "effect"
class Done extends SharedRef.Service<Done>()("types/Done", { schema: Schema.Int, initial: 0 }) {}
class Refused extends Schema.TaggedError<Refused>()("Refused", { n: Schema.Int }) {}
export class Search extends Actor.Service<Search>()("types/Search", {
  methods: {
${each((i) => `find${i}: Actor.method({ payload: { n: Schema.Int }, success: Schema.Int, error: Refused }),`)}
  }
}) {}
export const served = Search.serve({
${
    each((i) =>
      `find${i}: Effect.fn(function*({ n }) { yield* (yield* Done).get; return n === 0 ? yield* new Refused({ n }) : n }),`
    )
  }
})
${each((i) => `export const find${i} = Effect.flatMap(Search, (search) => search.find${i}({ n: ${i} }))`)}
`
}

/** The type instantiations of a program: a count, which is the same on every machine. */
const instantiations = async (text: string): Promise<number> => {
  writeFileSync(join(generated, "program.ts"), text)
  const output = await compile("program.json", ["program.ts"])
  assert.notInclude(output, "error")
  return Number(/^Instantiations:\s+(\d+)$/m.exec(output)?.[1])
}

describe("what a program adds costs the compiler", () => {
  const costs: ReadonlyArray<readonly [what: string, program: (size: number) => string, size: number, most: number]> = [
    ["100 tasks", program, 100, 100_000],
    ["50 operations of an own kind", kind, 50, 25_000],
    ["50 methods of an actor", actor, 50, 25_000]
  ]

  it.each(sample(costs))("for %s a bounded number of instantiations", async (_, program, size, most) => {
    assert.isAtMost(await instantiations(program(1 + size)) - await instantiations(program(1)), most)
  })
})
