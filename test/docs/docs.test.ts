/** What the documents show is true: examples compile, run and print what is said; links lead somewhere. */
import { execFile } from "node:child_process"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { assert, beforeAll, describe, it } from "vitest"
import { sample } from "../support/budget.ts"
import { bundle } from "../support/bundlePrograms.ts"
import { copyLibrary } from "../support/copyOfLibrary.ts"
import { additionTo, asSaid, type Fence, type Page, pathOf, readPages, root } from "./pages.ts"

/**
 * A copy of the packages with every example in `pages/`. Git ignores it, and so do all tools that look at the repository
 * as a whole.
 */
const copy = join(import.meta.dirname, ".generated", "dist")

const pages = readPages()

/** An example of a page: a whole module. */
interface Example {
  readonly name: string
  readonly path: string
  readonly text: string
  /** What the page says it prints, or what the compiler says of it; absent: it does not say. */
  readonly output: string | undefined
  readonly isWrong: boolean
}

const examplesOf = ({ fences, path }: Page): ReadonlyArray<Example> =>
  fences.flatMap((fence, i) => {
    if (fence.language !== "ts" || pathOf(fence) !== undefined || additionTo(fence) !== undefined) return []
    const next = fences[i + 1]
    const folder = isTest(fence) ? "test/pages" : "pages"
    return [{
      name: `${path}:${fence.line}`,
      path: `${folder}/${path.replaceAll(/[/.]/g, "-")}-${fence.line}.${isTest(fence) ? "check.ts" : "ts"}`,
      text: fence.text,
      output: next?.language === "text" && next.before === "```" ? next.text : undefined,
      isWrong: fence.remark === "wrong"
    }]
  })

/** A test for vitest, which runs it. */
const isTest = ({ text }: Fence): boolean => /from "(?:@effect\/)?vitest"/.test(text)

const examples = pages.flatMap(examplesOf)
/** What the tests have made of this repository's sources, and by what. */
const made = ["test/support/bundled.ts", "scripts/bundles.mjs", "packages/node/dist/programs"]
// The quick start of README.md is run from its own file.
const quickStart = join(root, "examples/01_quickstart/main.ts")
const quickStartText = readFileSync(quickStart, "utf8")
const programs = sample(
  examples.filter(({ isWrong, output, path, text }) =>
    !isWrong && !path.startsWith("test/") && text !== quickStartText &&
    (output !== undefined || text.includes("runMain("))
  )
)

/** Files of the repository that a page shows. The new files of CONTRIBUTING.md have a test of their own. */
const files = pages.flatMap(({ fences, path: page }) =>
  fences.flatMap((fence) => {
    const path = pathOf(fence)
    return path === undefined || !existsSync(join(root, path)) ? [] : [{ page, path, text: fence.text }]
  })
)

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(copy, path)), { recursive: true })
  writeFileSync(join(copy, path), text)
}

const run = promisify(execFile)

/** All that a program prints, and its exit code if that is not 0. */
const outputOf = (file: string, args: ReadonlyArray<string>): Promise<string> =>
  run(file, args, { cwd: copy }).then(
    ({ stderr, stdout }) => stdout + stderr,
    ({ code, stderr, stdout }) => `${stdout}${stderr}exit code ${code}\n`
  )

const bin = (name: string): string => join(root, "node_modules", ".bin", name)

const node = (...args: ReadonlyArray<string>): Promise<string> =>
  outputOf(process.execPath, [...process.execArgv, ...args])

const writeCopy = (): void => {
  rmSync(copy, { recursive: true, force: true })
  copyLibrary(copy)
  for (const path of made) {
    mkdirSync(join(copy, dirname(path)), { recursive: true })
    symlinkSync(join(root, path), join(copy, path))
  }
  cpSync(join(root, "tsconfig.base.json"), join(copy, "tsconfig.base.json"))
  for (const { path, text } of examples) write(path, text)
  const config = readFileSync(join(root, "vitest.config.ts"), "utf8")
  write("vitest.config.ts", config.replaceAll(".test.ts", ".check.ts").replace(/^.*bundlePrograms.*$/m, ""))
  const compilerOptions = { noEmit: true, composite: false, incremental: false, declarationMap: false, types: ["node"] }
  write(
    "tsconfig.json",
    JSON.stringify({ extends: "./tsconfig.base.json", compilerOptions, include: ["pages", "test"] })
  )
}

const sourceFiles = (...folders: ReadonlyArray<string>): ReadonlyArray<string> =>
  folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => join(root, folder, file))
  )

const results = new Map<string, Promise<string>>()

/** Two programs at a time, while the compiler runs. */
beforeAll(async () => {
  writeCopy()
  await bundle(programs.map(({ path }) => join(copy, path)))
  results.set("types", outputOf(bin("tsc"), ["--pretty", "false", "--singleThreaded"]))
  const jobs: ReadonlyArray<readonly [name: string, run: () => Promise<string>]> = [
    ["tests", () => outputOf(bin("vitest"), ["run", "--reporter=dot", "--maxWorkers=1"])],
    ...programs.map(({ name, path }) => [name, () => node(path)] as const),
    ["quick start", () => node(quickStart)]
  ]
  const lanes = [Promise.resolve(""), Promise.resolve("")]
  for (const [i, [name, run]] of jobs.entries()) {
    lanes[i % 2] = lanes[i % 2]!.then(run)
    results.set(name, lanes[i % 2]!)
  }
})

describe("examples", () => {
  it("compile", async () => {
    const ours = examples.filter(({ isWrong }) => !isWrong).map(({ path }) => path)
    const lines = (await results.get("types"))!.split("\n")
    assert.deepStrictEqual(lines.filter((line) => ours.some((path) => line.startsWith(`${path}(`))), [])
  })

  it.each(examples.filter(({ isWrong }) => isWrong).map((example) => [example.name, example] as const))(
    "%s does not compile, and the compiler says what the page says",
    async (_, { output, path }) => {
      const types = (await results.get("types"))!
      const messages = types.split(/^(?=\S)/m).filter((message) => message.startsWith(`${path}(`))
      const said = messages.join("").replaceAll(path, "main.ts")
      assert.strictEqual(said, asSaid(output!, said))
    }
  )

  it.each(programs.map((program) => [program.name, program] as const))(
    "%s prints what it says",
    async (name, { output: said }) => {
      const output = (await results.get(name))!
      if (said === undefined) assert.notInclude(output, "exit code")
      else assert.strictEqual(output, asSaid(said, output))
    }
  )

  it("for vitest pass", async () => {
    const output = await results.get("tests")
    assert.match(output!, /Tests\b.* passed/)
    assert.notInclude(output, "failed")
  })

  it.each(files.map(({ page, path, text }) => [page, path, text] as const))("%s shows %s as it is", (_, path, text) => {
    assert.strictEqual(text, readFileSync(join(root, path), "utf8"))
  })
})

describe("README.md", () => {
  const { fences } = pages.find(({ path }) => path === "README.md")!
  const position = fences.findIndex(({ before, language }) => language === "ts" && before.includes("01_quickstart"))

  it("shows the quick start as it is", () => {
    assert.strictEqual(fences[position]!.text, quickStartText)
  })

  it("and what it prints", async () => {
    assert.strictEqual(await results.get("quick start"), fences[position + 1]!.text)
  })
})

describe("docs/rules.md", () => {
  it("lists every rule that the code cites", () => {
    const rules = readFileSync(join(root, "docs/rules.md"), "utf8")
    const cited = sourceFiles("packages/core/src", "packages/node/src").flatMap((path) =>
      [...readFileSync(path, "utf8").matchAll(/\b[SR]-\d+\b/g)].map(([rule]) => rule)
    )
    assert.isAbove(cited.length, 0)
    assert.deepStrictEqual([...new Set(cited)].filter((rule) => !rules.includes(`**${rule}**`)), [])
  })
})

describe("packages/core/AGENTS.md", () => {
  it("has a row for every shared type", () => {
    const page = readFileSync(join(root, "packages/core/AGENTS.md"), "utf8")
    const types = readdirSync(join(root, "packages/core/src")).flatMap((file) =>
      /^(Shared\w+)\.ts$/.exec(file)?.[1] ?? []
    )
    assert.isAbove(types.length, 0)
    assert.deepStrictEqual(types.filter((name) => !page.includes(`\n| \`${name}\` `)), [])
  })
})

describe("links", () => {
  it.each(pages.map((page) => [page.path, page] as const))("of %s lead somewhere", (path, { links }) => {
    const broken = links.flatMap((link) => {
      const target = link.path === "" ? path : join(dirname(path), link.path)
      const where = `line ${link.line}: ${link.path}`
      if (!existsSync(join(root, target))) return [`${where} does not exist`]
      if (link.anchor !== "" && !pages.find((page) => page.path === target)?.anchors.has(link.anchor)) {
        return [`${where}#${link.anchor} is no heading`]
      }
      return link.title === "" || readFileSync(join(root, target), "utf8").includes(link.title)
        ? []
        : [`${where} has no "${link.title}"`]
    })
    assert.deepStrictEqual(broken, [])
  })
})

describe("docs/pool.md", () => {
  it("has every event of a pool, with its fields", () => {
    const page = readFileSync(join(root, "docs/pool.md"), "utf8")
    const source = readFileSync(join(root, "packages/core/src/pool/PoolStats.ts"), "utf8")
    const union = /export type PoolEvent =\n([^]*?)\n\n/.exec(source)![1]!
    const rows = union.split("readonly _tag: ").slice(1).map((event) => {
      const fields = [...event.matchAll(/readonly (\w+):/g)].map(([, field]) => `\`${field}\``)
      return { tag: /^"(\w+)"/.exec(event)![1]!, fields: fields.join(", ") }
    })
    assert.isAbove(rows.length, 4)
    for (const { fields, tag } of rows) assert.match(page, new RegExp(`^\\| \`${tag}\` +\\| ${fields} +\\|`, "m"))
  })
})
