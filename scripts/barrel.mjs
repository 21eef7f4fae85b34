// Writes the index.ts of each package from the files in its src folder: one namespace export per public module, which
// is a file whose name begins with a capital. `--check` only says whether they are fresh.
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const barrels = [
  // A transport from outside of this package is made of Links, so that module is public though it lies deeper.
  { folder: "packages/core/src", also: ["./transport/Link.ts"] },
  // What NodeProcess has for users, NodeManager re-exports.
  { folder: "packages/node/src", except: ["NodeProcess.ts"] }
]

const check = process.argv.includes("--check")

for (const { also = [], except = [], folder } of barrels) {
  const modules = readdirSync(join(import.meta.dirname, "..", folder))
    .filter((file) => /^[A-Z]\w*\.ts$/.test(file) && !except.includes(file))
    .sort()
    .map((file) => `./${file}`)
  const lines = [...modules, ...also].map((path) => `export * as ${/(\w+)\.ts$/.exec(path)[1]} from "${path}"\n`)
  const text = `// Written by scripts/barrel.mjs, do not edit.\n${lines.join("")}`

  const index = join(import.meta.dirname, "..", folder, "index.ts")
  if (readFileSync(index, "utf8") === text) continue
  if (check) {
    console.error(`${folder}/index.ts is stale: run npm run format`)
    process.exitCode = 1
  } else writeFileSync(index, text)
}
