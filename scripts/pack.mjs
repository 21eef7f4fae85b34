// Builds and packs the packages into a folder, by default a temporary one. Checks the tarballs as users get them: their
// files, their dependencies, and the results of publint and attw.
import { spawnSync } from "node:child_process"
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")

/** The files of a package besides its sources and their outputs. No other file is allowed. */
const packages = {
  core: { peers: ["effect"], examples: false, programs: [] },
  node: {
    peers: ["@effect-multiprocessing/core", "@effect/platform-node", "effect"],
    examples: true,
    programs: ["manager", "managerProgram", "watchdog", "compactor"]
  },
  cli: {
    peers: ["@effect-multiprocessing/core", "@effect-multiprocessing/node", "@effect/platform-node", "effect"],
    examples: false,
    programs: []
  },
  postgres: { peers: ["@effect-multiprocessing/core", "@effect/sql-pg", "effect"], examples: false, programs: [] }
}

const run = (command, args, cwd = root) => {
  const env = { ...process.env, NO_COLOR: "1" }
  const shell = process.platform === "win32"
  const { error, status, stderr, stdout } = spawnSync(command, args, { cwd, env, shell, encoding: "utf8" })
  if (status === 0) return stdout
  console.error(`${command} ${args.join(" ")} failed\n${error ?? ""}${stdout}${stderr}`)
  throw new Error("not packed")
}

const filesOf = (folder, pattern) => globSync(pattern, { cwd: folder }).map((path) => path.replaceAll("\\", "/"))

/** All files of a package. Sources are included, because declaration maps and stack traces refer to them. */
const expectedFiles = (name) => {
  const sources = filesOf(join(root, "packages", name, "src"), "**/*.ts")
  const outputs = sources.filter((path) => !path.startsWith("programs/")).flatMap((path) =>
    ["js", "js.map", "d.ts", "d.ts.map"].map((extension) => `dist/${path.replace(/ts$/, extension)}`)
  )
  const folders = packages[name].examples ? "{docs,examples}" : "docs"
  const copied = filesOf(root, `${folders}/**/*.*`)
  const pages = ["AGENTS.md", "LICENSE", "README.md", "package.json"]
  const bundles = packages[name].programs.map((program) => `dist/programs/${program}.cjs`)
  return new Set([...pages, ...sources.map((path) => `src/${path}`), ...outputs, ...bundles, ...copied])
}

const complaints = (name, packed) => {
  const { dependencies = {}, peerDependencies } = JSON.parse(
    readFileSync(join(root, "packages", name, "package.json"), "utf8")
  )
  const expected = expectedFiles(name)
  const found = new Set(packed.files.map(({ path }) => path))
  return [
    ...[...expected].filter((path) => !found.has(path)).map((path) => `${path} is missing`),
    ...[...found].filter((path) => !expected.has(path)).map((path) => `${path} does not belong there`),
    ...Object.keys(dependencies).map((dependency) => `${dependency} should be a peer, or not needed`),
    ...packages[name].peers.filter((peer) => peerDependencies[peer] === undefined).map((peer) => `${peer} is no peer`)
  ]
}

const temporary = process.argv[2] === undefined
const folder = process.argv[2] ?? mkdtempSync(join(tmpdir(), "effect-multiprocessing-"))
try {
  run("npm", ["run", "build"])
  for (const name of Object.keys(packages)) {
    const [packed] = JSON.parse(
      run("npm", ["pack", "--json", "--pack-destination", folder], join(root, "packages", name))
    )
    const tarball = join(folder, packed.filename)
    const found = complaints(name, packed)
    if (found.length > 0) {
      console.error(`${packed.filename}:\n  ${found.join("\n  ")}`)
      throw new Error("not packed")
    }
    run("publint", ["run", tarball, "--strict"])
    run("attw", [tarball, "--profile", "esm-only"])
    console.log(`${packed.filename}: ${packed.files.length} files, ${Math.ceil(packed.size / 1000)} kB`)
  }
} catch (error) {
  if (error.message !== "not packed") throw error
  process.exitCode = 1
} finally {
  if (temporary) rmSync(folder, { recursive: true, force: true })
}
