/** What the documents show is true: examples compile, run and print what is said; links lead somewhere. */
import { execFile } from "node:child_process"
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { assert, beforeAll, describe, it } from "vitest"
import { type Fence, type Page, readPages, root } from "./pages.ts"

const run = promisify(execFile)

/** Git ignores it, and so do all tools that look at the repository as a whole. */
const generated = join(import.meta.dirname, ".generated", "dist")

const pages = readPages()

/** An example of a page: a whole module. */
interface Example {
  readonly name: string
  readonly file: string
  readonly text: string
  /** What the page says it prints; absent: it is not said, or it is no program. */
  readonly output: string | undefined
  readonly isProgram: boolean
}

const examplesOf = ({ fences, path }: Page): ReadonlyArray<Example> =>
  fences.flatMap((fence, i) => {
    if (fence.language !== "ts" || pathOf(fence) !== undefined) return []
    const next = fences[i + 1]
    return [{
      name: `${path}:${fence.line}`,
      file: join(generated, `${path.replaceAll(/[/.]/g, "-")}-${fence.line}.ts`),
      text: fence.text,
      output: next?.language === "text" && next.before === "```" ? next.text : undefined,
      isProgram: fence.text.includes("runMain(")
    }]
  })

/** CONTRIBUTING.md shows whole files of the repository: the line above the fence is their path. */
const pathOf = ({ before }: Fence): string | undefined => /^`([\w./]+\.(?:ts|md))`:?$/.exec(before)?.[1]

const examples = pages.flatMap(examplesOf)
const programs = examples.filter(({ isProgram }) => isProgram)

/** The repository with the worked example of CONTRIBUTING.md in it. */
const tree = join(generated, "tree")
const files = pages.filter(({ path }) => path === "CONTRIBUTING.md").flatMap(({ fences }) => fences).flatMap(
  (fence) => {
    const path = pathOf(fence)
    // Not a name that the tests of the repository are found by.
    return path === undefined ? [] : [{ path: path.replace(".test.ts", ".check.ts"), text: fence.text }]
  }
)
const kindFile = files.map(({ path }) => /engine\/kinds\/(\w+)\.ts$/.exec(path)?.[1]).find((name) => name !== undefined)

const write = (path: string, text: string) => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

const node = (args: ReadonlyArray<string>, cwd = root) =>
  run(process.execPath, ["--conditions=@effect-multiprocessing/source", ...args], { cwd })

/** Standard output and standard error of a command, whether it succeeds or not. */
const outputOf = (command: Promise<{ readonly stdout: string; readonly stderr: string }>) =>
  command.then(({ stderr, stdout }) => stdout + stderr, ({ stderr, stdout }) => `failed:\n${stdout}${stderr}`)

const bin = (name: string) => join(root, "node_modules", ".bin", name)

const writeTree = async () => {
  for (const name of ["core", "node"]) {
    for (const part of ["src", "package.json"]) {
      cpSync(join(root, "packages", name, part), join(tree, "packages", name, part), { recursive: true })
    }
    mkdirSync(join(tree, "node_modules", "@effect-multiprocessing"), { recursive: true })
    symlinkSync(join("..", "..", "packages", name), join(tree, "node_modules", "@effect-multiprocessing", name))
  }
  cpSync(join(root, "scripts/barrel.mjs"), join(tree, "scripts/barrel.mjs"))
  const config = readFileSync(join(root, "vitest.config.ts"), "utf8")
  write(join(tree, "vitest.config.ts"), config.replace("*.test.ts", "*.check.ts"))
  for (const { path, text } of files) write(join(tree, path), text)
  const registry = join(tree, "packages/core/src/engine/kinds/index.ts")
  const text = readFileSync(registry, "utf8")
  write(
    registry,
    text.replace(/^import/m, `import { ${kindFile} } from "./${kindFile}.ts"\nimport`).replace(
      /\]\n$/,
      `, ${kindFile}]\n`
    )
  )
  await node(["scripts/barrel.mjs"], tree)
}

/** Programs run two at a time, while the compiler runs. */
const results = new Map<string, Promise<string>>()

beforeAll(async () => {
  rmSync(generated, { recursive: true, force: true })
  for (const { file, text } of examples) write(file, text)
  await writeTree()
  write(
    join(generated, "tsconfig.json"),
    JSON.stringify({
      extends: "../../../../tsconfig.base.json",
      compilerOptions: { noEmit: true, composite: false, incremental: false, declarationMap: false, types: ["node"] },
      include: ["*.ts", ...files.filter(({ path }) => path.endsWith(".ts")).map(({ path }) => `tree/${path}`)]
    })
  )
  results.set("types", outputOf(run(bin("tsc"), ["-p", generated])))
  const jobs: ReadonlyArray<readonly [string, () => Promise<string>]> = [
    ["worked example", () => outputOf(run(bin("vitest"), ["run", "--reporter=dot"], { cwd: tree }))],
    ["examples/01_quickstart/main.ts", () => outputOf(node(["examples/01_quickstart/main.ts"]))],
    ...programs.map(({ file, name }) => [name, () => outputOf(node([file]))] as const)
  ]
  const lanes: [Promise<unknown>, Promise<unknown>] = [Promise.resolve(), Promise.resolve()]
  for (const [i, [name, job]] of jobs.entries()) {
    const result = lanes[i % 2]!.then(job)
    lanes[i % 2] = result
    results.set(name, result)
  }
})

describe("examples", () => {
  it("compile", async () => {
    assert.strictEqual(await results.get("types"), "")
  })

  it.each(programs.map((program) => [program.name, program] as const))(
    "%s prints what is said",
    async (name, program) => {
      const output = await results.get(name)
      if (program.output === undefined) assert.notInclude(output, "failed:")
      else assert.strictEqual(output, program.output)
    }
  )

  it("the worked example of CONTRIBUTING.md passes its own test", async () => {
    assert.isAbove(files.length, 0)
    assert.match((await results.get("worked example"))!, /Tests\s.*passed/)
  })
})

describe("README.md", () => {
  const fences = pages.find(({ path }) => path === "README.md")!.fences
  const quickStart = fences.findIndex(({ language }) => language === "ts")

  it("shows the quick start as it is", () => {
    assert.strictEqual(fences[quickStart]!.text, readFileSync(join(root, "examples/01_quickstart/main.ts"), "utf8"))
  })

  it("and what it prints", async () => {
    assert.strictEqual(await results.get("examples/01_quickstart/main.ts"), fences[quickStart + 1]!.text)
  })
})

describe("links", () => {
  it.each(pages.map((page) => [page.path, page] as const))("of %s lead somewhere", (path, page) => {
    const broken = page.links.flatMap((link) => {
      const target = link.path === "" ? path : join(dirname(path), link.path)
      const at = `line ${link.line}: ${link.path}`
      if (!existsSync(join(root, target))) return [`${at} does not exist`]
      if (link.anchor !== "" && !pages.find((page) => page.path === target)?.anchors.has(link.anchor)) {
        return [`${at}#${link.anchor} is no heading`]
      }
      if (link.title !== "" && !readFileSync(join(root, target), "utf8").includes(link.title)) {
        return [`${at} has no "${link.title}"`]
      }
      return []
    })
    assert.deepStrictEqual(broken, [])
  })
})
