// Writes the lists that follow from files. `--check` only reports stale lists.
//
// - The public surface of each package: index.ts, with one namespace export for each public module, and the `exports`
//   of package.json, with one entry for each. A file of src is a public module if its name begins with a capital. A
//   deeper file is public only if it is listed here.
// - The specimens of kinds, which are declared as `export const NAME = specimen(` in testing/kinds.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const packages = [
  // A transport outside of this package is made of Links, so this deeper module is public.
  { folder: "packages/core", also: ["transport/Link"], entries: { testing: "testing/index" } },
  // NodeManager re-exports the public part of NodeProcess.
  { folder: "packages/node", except: ["NodeProcess"] },
  { folder: "packages/postgres" }
]

const check = process.argv.includes("--check")

const put = (path, text) => {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return
  if (!check) return writeFileSync(path, text)
  console.error(`${path} is stale: run npm run format`)
  process.exitCode = 1
}

const entry = (module) => ({
  "@effect-multiprocessing/source": `./src/${module}.ts`,
  "types": `./dist/${module}.d.ts`,
  "default": `./dist/${module}.js`
})

for (const { also = [], entries = {}, except = [], folder } of packages) {
  const path = join(import.meta.dirname, "..", folder)
  const modules = readdirSync(join(path, "src"))
    .filter((file) => /^[A-Z]\w*\.ts$/.test(file))
    .map((file) => file.slice(0, -".ts".length))
    .filter((module) => !except.includes(module))
    .sort()
  // As the formatter sorts exports.
  const inOrder = [...modules, ...also].sort((a, b) => a.toLowerCase() < b.toLowerCase() ? -1 : 1)
  const barrel = inOrder.map((module) => `export * as ${module.split("/").at(-1)} from "./${module}.ts"\n`)
  put(join(path, "src/index.ts"), `// Written by scripts/barrel.mjs, do not edit.\n${barrel.join("")}`)

  const published = Object.entries({ ...Object.fromEntries(modules.map((module) => [module, module])), ...entries })
  const description = JSON.parse(readFileSync(join(path, "package.json"), "utf8"))
  description.exports = {
    ".": entry("index"),
    ...Object.fromEntries(published.map(([name, module]) => [`./${name}`, entry(module)])),
    "./package.json": "./package.json"
  }
  put(join(path, "package.json"), `${JSON.stringify(description, undefined, 2)}\n`)
}

const kinds = join(import.meta.dirname, "../packages/core/src/testing/kinds")
const specimens = readdirSync(kinds).sort().flatMap((file) =>
  [...readFileSync(join(kinds, file), "utf8").matchAll(/^export const (\w+) = specimen\(/gm)]
    .map(([, name]) => ({ file, name }))
)
put(
  join(kinds, "index.ts"),
  [
    "// Written by scripts/barrel.mjs, do not edit.",
    ...specimens.map(({ file, name }) => `import { ${name} } from "./${file}"`),
    "import type { Specimen } from \"./Specimen.ts\"",
    "",
    "/** The specimen of every kind. */",
    "export const specimens: ReadonlyArray<Specimen> = [",
    specimens.map(({ name }) => `  ${name}`).join(",\n"),
    "]",
    ""
  ].join("\n")
)
