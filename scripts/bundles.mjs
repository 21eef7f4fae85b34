// The bundled programs of packages/node, which run in development, too. They are bundled again as soon as one of their
// sources has changed. `bootstrap.mjs` sees to it for every script, and Vitest for its runs (vitest.config.ts).
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"

export const root = join(import.meta.dirname, "..")
export const programs = ["manager", "watchdog", "compactor"]
export const outputFolder = join(root, "packages/node/dist/programs")

/** What decides the bundles besides their modules. */
export const inputs = [
  "package-lock.json",
  "scripts/bundle.mjs",
  "packages/core/package.json",
  "packages/node/package.json"
]

/** The time of the last change of every source that the bundles were made from, by its path. */
export const stampFile = join(root, "node_modules/.cache/bundles.json")

const isFresh = () => {
  if (!existsSync(stampFile) || !programs.every((name) => existsSync(join(outputFolder, `${name}.cjs`)))) return false
  return Object.entries(JSON.parse(readFileSync(stampFile, "utf8"))).every(([path, time]) =>
    statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs === time
  )
}

/** Bundles the programs unless the bundles are of the present sources. */
export const setup = () => {
  if (isFresh()) return
  const { error, status, stderr } = spawnSync("node", [join(import.meta.dirname, "bundle.mjs")], { encoding: "utf8" })
  if (status !== 0) throw new Error(`the programs of packages/node cannot be bundled\n${error ?? stderr}`)
}
