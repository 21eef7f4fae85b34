// Tests the packages as users get them: packs them, installs the tarballs in a project outside of the repository, and
// runs the programs of README.md there on every major Node, as TypeScript and as built JavaScript, bundled, and on Bun and
// Deno. Prints one line for each step; the exit code is 1 if a step failed. Needs the registry, and leaves nothing behind.
import { spawnSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

const root = join(import.meta.dirname, "..")
const read = (path) => readFileSync(join(root, path), "utf8")
const readJson = (path) => JSON.parse(read(path))
const { devDependencies, engines, optionalDependencies } = readJson("package.json")

const platform = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`
/** The package with Node's binary for this platform. The repository itself runs on its newest version. */
const [nodePackage, newest] = Object.entries(optionalDependencies).find(([name]) => name.endsWith(`-${platform}`)) ?? []
/** A Node that the packages refuse. */
const tooOld = "20.20.2"
const versions = [engines.node.replace(">=", ""), "24.21.0", newest ?? Object.values(optionalDependencies)[0]]

const folder = mkdtempSync(join(tmpdir(), "effect-multiprocessing-pack-"))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1))
const [consumer, nodes, tarballs, tools, alone] = ["consumer", "nodes", "tarballs", "tools", "alone"].map((name) =>
  join(folder, name)
)
for (const path of [consumer, nodes, tarballs, tools, alone]) mkdirSync(path)

/** The environment of a user, without variables by which Node would find files of the repository. */
const ours = ["NODE_OPTIONS", "NODE_PATH", "npm_config_local_prefix"]
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.includes(name)))

/** Runs a command and returns its output; throws with the output when the command fails. */
const run = (command, args, cwd) => {
  const shell = process.platform === "win32" && !command.endsWith(".exe")
  const options = { cwd, env: environment, shell, encoding: "utf8", timeout: 300_000, killSignal: "SIGKILL" }
  const { error, signal, status, stderr, stdout } = spawnSync(command, args, options)
  if (status === 0) return stdout
  throw new Error(`${command} ${args.join(" ")}: exit ${signal ?? status}\n${error ?? ""}${stdout}${stderr}`)
}

const npm = (args, cwd) => run("npm", [...args, "--no-audit", "--no-fund", "--loglevel=error"], cwd)
const install = (cwd) => npm(["install", "--ignore-scripts", "--strict-peer-deps", "--prefer-offline"], cwd)

/** Runs one step and prints its outcome; returns whether it succeeded. */
const step = async (name, action) => {
  const start = performance.now()
  const say = (result) => console.log(`${result} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
  try {
    await action()
    say("ok     ")
    return true
  } catch (error) {
    process.exitCode = 1
    say("FAILED ")
    console.log(String(error.message).replace(/^/gm, "        "))
    return false
  }
}

const expect = (what, found, expected) => {
  if (found !== expected) throw new Error(`${what}: expected\n${expected}\nbut found\n${found}`)
}

// The consumer project: the two programs of README.md, the examples from the tarball, and two programs of its own.

const [pool, quickStart] = [...read("README.md").matchAll(/^```ts\n([^]*?)^```\n+^```text\n([^]*?)^```$/gm)]
  .map(([, text, output]) => ({ text, output }))
const examples = join("node_modules", "@effect-multiprocessing", "node", "examples")

const programs = [
  { name: "pool", path: "pool", output: pool.output },
  { name: "quick start", path: "main", output: quickStart.output },
  { name: "worker in a file of its own", path: "two-files/main", output: "squares 9 and 16, done 2\n" },
  {
    name: "public modules, and no others",
    path: "modules",
    output: "public: function, function\nSet(1) { 'ERR_PACKAGE_PATH_NOT_EXPORTED' }\n"
  }
]

const compilerOptions = {
  target: "ES2023",
  module: "NodeNext",
  moduleResolution: "NodeNext",
  strict: true,
  declaration: true,
  skipLibCheck: false,
  rewriteRelativeImportExtensions: true,
  types: ["node"],
  rootDir: ".",
  outDir: "built"
}

const writeConsumer = () => {
  const installed = (name) => readJson(`node_modules/${name}/package.json`).version
  const fromHere = (names) => Object.fromEntries(names.map((name) => [name, installed(name)]))
  const packed = readdirSync(tarballs).map((file) => [
    `@effect-multiprocessing/${/-(core|node|cli|postgres)-/.exec(file)[1]}`,
    `file:${join(tarballs, file)}`
  ])
  const manifest = {
    private: true,
    type: "module",
    dependencies: { ...Object.fromEntries(packed), ...fromHere(["effect", "@effect/platform-node", "@effect/sql-pg"]) },
    devDependencies: fromHere(["typescript", "@types/node"])
  }
  writeFileSync(join(consumer, "package.json"), JSON.stringify(manifest))
  writeFileSync(join(consumer, "pool.ts"), pool.text)
  writeFileSync(join(consumer, "main.ts"), quickStart.text)
  cpSync(join(root, "test", "pack"), consumer, { recursive: true })
  const include = ["*.ts", "two-files", "examples"]
  writeFileSync(join(consumer, "tsconfig.json"), JSON.stringify({ compilerOptions, include }))
  const declarations = { ...compilerOptions, noEmit: true, outDir: undefined }
  writeFileSync(
    join(consumer, "tsconfig.declarations.json"),
    JSON.stringify({ compilerOptions: declarations, include: ["built/**/*.d.ts"] })
  )
}

const tsc = (...args) => run(join(consumer, "node_modules", ".bin", "tsc"), args, consumer)

/** Whether a version of a package is published. A failed look-up is an error. */
const isPublished = (name, version) => {
  if (name === undefined) return false
  try {
    npm(["view", `${name}@${version}`, "version"], nodes)
    return true
  } catch (error) {
    if (/\bE404\b/.test(error.message)) return false
    throw error
  }
}

const fetched = []
const fetchNodes = () => {
  for (const version of [...versions, tooOld]) {
    if (isPublished(nodePackage, version)) fetched.push(version)
    else console.log(`skipped Node ${version}: none is published for ${platform}`)
  }
  const dependencies = Object.fromEntries(
    fetched.map((version) => [`node-${version}`, `npm:${nodePackage}@${version}`])
  )
  writeFileSync(join(nodes, "package.json"), JSON.stringify({ private: true, dependencies }))
  install(nodes)
}

const binaryOf = (version) =>
  join(nodes, "node_modules", `node-${version}`, "bin", process.platform === "win32" ? "node.exe" : "node")

/** A Node that is too old says so, and nothing else. */
const refuse = (node) => {
  const sentence = `this is Node ${tooOld}, but @effect-multiprocessing/node needs Node 22.19 or newer`
  const options = { cwd: consumer, env: environment, encoding: "utf8" }
  const { status, stderr, stdout } = spawnSync(node, ["built/main.js"], options)
  expect("runMain", `${stdout}${stderr}exit ${status}`, `${sentence}\nexit 1`)
  const starts = run(node, ["built/starts.js"], consumer).trim().split("\n")
  expect("starts that name the sentence", starts.filter((line) => line.includes(sentence)).length, 3)
}

/** The commands of docs/bundlers.md, by the tools that they run. */
const commands = [...read("docs/bundlers.md").matchAll(/^npx (\w+) (.*)$/gm)].map(([, tool, args]) => ({ tool, args }))
const toolVersions = { esbuild: "0.28.2", rolldown: devDependencies.rolldown, bun: "1.4.5", deno: "2.9.6" }
const unknown = commands.filter(({ tool }) => toolVersions[tool] === undefined)
if (unknown.length > 0) throw new Error(`docs/bundlers.md runs ${unknown[0].tool}, which has no version here`)

const fetchTools = () => {
  writeFileSync(join(tools, "package.json"), JSON.stringify({ private: true, dependencies: toolVersions }))
  // With its scripts: Bun's puts the binary of this platform in its place.
  npm(["install", "--prefer-offline"], tools)
}

const toolOf = (tool) => join(tools, "node_modules", ".bin", tool)

/** Runs a command of the page for another program than its `main.ts`. */
const runTool = ({ args, tool }, name) => run(toolOf(tool), args.replaceAll("main.", `${name}.`).split(" "), consumer)

/** Bundles a program, and runs what comes out far from every package. */
const runBundle = (node, command, { name, output, path }) => {
  for (const made of [join(consumer, "out"), alone]) rmSync(made, { recursive: true, force: true })
  runTool(command, path)
  cpSync(join(consumer, "out"), alone, { recursive: true })
  writeFileSync(join(alone, "package.json"), JSON.stringify({ type: "module" }))
  const [file] = globSync(`${path}.{js,mjs,cjs}`, { cwd: alone })
  expect(name, run(node, [file], alone), output)
}

/** The relative links of the installed pages that lead nowhere. */
const brokenLinks = () =>
  globSync("node_modules/@effect-multiprocessing/*/{*,docs/**/*,examples/**/*}.md", { cwd: consumer }).flatMap(
    (page) => {
      const text = readFileSync(join(consumer, page), "utf8").replaceAll(/^```[^]*?^```$/gm, "")
      const links = [...text.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)].map(([, path]) => path)
      return links.filter((path) => !/^[a-z]+:/.test(path) && !existsSync(join(consumer, dirname(page), path)))
        .map((path) => `${page}: ${path}`)
    }
  )

/** Every process that runs a file of the consumer. */
const processesLeft = () =>
  run("ps", ["-e", "-o", "args="], folder).split("\n").filter((line) => line.includes(consumer))

/** Runs a program that kills itself, and waits until nothing of it is left. */
const runKilled = async (command, args) => {
  spawnSync(command, [...args, "killed.ts"], { cwd: consumer, env: environment, stdio: "ignore", timeout: 60_000 })
  // Fails if the worker has not begun.
  rmSync(join(consumer, "began"))
  for (let looks = 0; processesLeft().length > 0; looks++) {
    if (looks === 300) throw new Error(`it left\n${processesLeft().join("\n")}`)
    await sleep(100)
  }
}

const runProgram = (node, { name, output, path }) => expect(name, run(node, [path], consumer), output)

const prepared = await step("build and pack: contents, publint, attw", () => {
  run(process.execPath, [join(root, "scripts", "pack.mjs"), tarballs], root)
}) && await step("install the tarballs and their peers in a project outside of the repository", () => {
  writeConsumer()
  install(consumer)
}) && await step("the packages bring the examples, and the quick start is README.md's", () => {
  cpSync(join(consumer, examples), join(consumer, "examples"), { recursive: true })
  expect("quick start", readFileSync(join(consumer, "examples/01_quickstart/main.ts"), "utf8"), quickStart.text)
}) && await step("the links of the pages lead to files that are installed", () => {
  expect("links that lead nowhere", brokenLinks().join("\n"), "")
}) && await step("tsc: strict, with declarations, the libraries checked, too", () => {
  tsc()
  // The entry of the workers is named worker.ts, and only worker.js may exist.
  expect("a TypeScript file among the built", existsSync(join(consumer, "built/two-files/worker.ts")), false)
}) && await step("tsc: the declarations written for it compile by themselves", () => {
  tsc("-p", "tsconfig.declarations.json")
}) && await step("fetch Node", fetchNodes) && await step("fetch bundlers, Bun and Deno", fetchTools)

if (prepared) {
  const isOld = fetched.includes(tooOld)
  const supported = fetched.filter((version) => version !== tooOld)
  // If none is published, uses the Node that runs this script.
  const runners = supported.length === 0 ? [process.execPath] : supported.map(binaryOf)
  for (const node of runners) {
    const version = run(node, ["--version"], consumer).trim()
    await step(`Node ${version}: emp --help`, () => {
      const help = run(node, [
        join("node_modules", "@effect-multiprocessing", "cli", "dist", "bin", "emp.js"),
        "--help"
      ], consumer)
      expect("a list of commands", /^SUBCOMMANDS$/m.test(help), true)
    })
    for (const program of programs) {
      await step(
        `Node ${version}: ${program.name}, TypeScript`,
        () => runProgram(node, { ...program, path: `${program.path}.ts` })
      )
      await step(
        `Node ${version}: ${program.name}, built JavaScript`,
        () => runProgram(node, { ...program, path: `built/${program.path}.js` })
      )
    }
  }
  if (isOld) await step(`Node ${tooOld}: is refused in one sentence`, () => refuse(binaryOf(tooOld)))
  const [pooled, started] = programs
  for (const command of commands) {
    const { args, tool } = command
    for (const program of [pooled, started]) {
      const name = `${tool} ${args}: ${program.name}`
      if (args.includes("out")) await step(name, () => runBundle(runners.at(-1), command, program))
      else await step(name, () => expect(program.name, runTool(command, program.path), program.output))
    }
  }
  const starts = { "Node": [runners.at(-1)], "Bun": [toolOf("bun")], "Deno": [toolOf("deno"), "run", "-A"] }
  for (const [runtime, [command, ...args]] of Object.entries(starts)) {
    await step(`${runtime}: a killed program leaves no process`, () => runKilled(command, args))
  }
}
