// Tests the packages as users get them: packs them, installs the tarballs in a project outside of the repository, and
// runs the programs of README.md there on every major Node, as TypeScript and as built JavaScript. Prints one line for
// each step; the exit code is 1 if a step failed. Needs the registry, and leaves nothing behind.
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const read = (path) => readFileSync(join(root, path), "utf8")
const readJson = (path) => JSON.parse(read(path))
const { engines, optionalDependencies } = readJson("package.json")

const platform = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`
/** The package with Node's binary for this platform. The repository itself runs on its newest version. */
const [nodePackage, newest] = Object.entries(optionalDependencies).find(([name]) => name.endsWith(`-${platform}`)) ?? []
const versions = [engines.node.replace(">=", ""), "24.21.0", newest ?? Object.values(optionalDependencies)[0]]

const folder = mkdtempSync(join(tmpdir(), "effect-multiprocessing-pack-"))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1))
const [consumer, nodes, tarballs] = ["consumer", "nodes", "tarballs"].map((name) => join(folder, name))
for (const path of [consumer, nodes, tarballs]) mkdirSync(path)

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
const step = (name, action) => {
  const start = performance.now()
  const say = (result) => console.log(`${result} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
  try {
    action()
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
    `@effect-multiprocessing/${/-(core|node)-/.exec(file)[1]}`,
    `file:${join(tarballs, file)}`
  ])
  const manifest = {
    private: true,
    type: "module",
    dependencies: { ...Object.fromEntries(packed), ...fromHere(["effect", "@effect/platform-node"]) },
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

/** Whether a version is published for this platform. A failed look-up is an error. */
const isPublished = (version) => {
  if (nodePackage === undefined) return false
  try {
    npm(["view", `${nodePackage}@${version}`, "version"], nodes)
    return true
  } catch (error) {
    if (/\bE404\b/.test(error.message)) return false
    throw error
  }
}

const fetched = []
const fetchNodes = () => {
  for (const version of versions) {
    if (isPublished(version)) fetched.push(version)
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

const runProgram = (node, { name, output, path }) => expect(name, run(node, [path], consumer), output)

const prepared = step("build and pack: contents, publint, attw", () => {
  run(process.execPath, [join(root, "scripts", "pack.mjs"), tarballs], root)
}) && step("install the tarballs and their peers in a project outside of the repository", () => {
  writeConsumer()
  install(consumer)
}) && step("the packages bring the examples, and the quick start is README.md's", () => {
  cpSync(join(consumer, examples), join(consumer, "examples"), { recursive: true })
  expect("quick start", readFileSync(join(consumer, "examples/01_quickstart/main.ts"), "utf8"), quickStart.text)
}) && step("tsc: strict, with declarations, the libraries checked, too", () => {
  tsc()
  // The entry of the workers is named worker.ts, and only worker.js may exist.
  expect("a TypeScript file among the built", existsSync(join(consumer, "built/two-files/worker.ts")), false)
}) && step("tsc: the declarations written for it compile by themselves", () => {
  tsc("-p", "tsconfig.declarations.json")
}) && step("fetch Node", fetchNodes)

if (prepared) {
  // If none is published, uses the Node that runs this script.
  const runners = fetched.length === 0 ? [process.execPath] : fetched.map(binaryOf)
  for (const node of runners) {
    const version = run(node, ["--version"], consumer).trim()
    for (const program of programs) {
      step(
        `Node ${version}: ${program.name}, TypeScript`,
        () => runProgram(node, { ...program, path: `${program.path}.ts` })
      )
      step(
        `Node ${version}: ${program.name}, built JavaScript`,
        () => runProgram(node, { ...program, path: `built/${program.path}.js` })
      )
    }
  }
}
