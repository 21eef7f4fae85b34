/**
 * Loaded into every process of the tests before its program: keeps what Node has resolved for the processes that start
 * later, as Node's compile cache keeps what it has compiled. To resolve a thousand imports is half of the cost of a
 * process's start, and the tests start hundreds of processes.
 *
 * An import by name leads elsewhere only when a package.json or what is installed changes: what was kept before is
 * then of no use.
 */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs"
import { registerHooks, type ResolveFnOutput } from "node:module"
import { join } from "node:path"

/** By conditions and importing module, and then by what it imports. */
type Resolutions = Record<string, Record<string, Pick<ResolveFnOutput, "format" | "url">>>

const root = join(import.meta.dirname, "../..")
const sources = ["package.json", "packages/core/package.json", "packages/node/package.json", "package-lock.json"]
const state = sources.map((file) => statSync(join(root, file)).mtimeMs).join()

const folder = join(root, "node_modules/.cache")
const path = join(folder, "resolutions.json")

const read = (): Resolutions => {
  try {
    const kept: { readonly state: string; readonly resolutions: Resolutions } = JSON.parse(readFileSync(path, "utf8"))
    return kept.state === state ? kept.resolutions : {}
  } catch {
    return {}
  }
}

const known = read()
const added: Resolutions = {}

registerHooks({
  resolve: (specifier, context, next) => {
    const { conditions, parentURL } = context
    if (parentURL === undefined || specifier.startsWith("node:") || !conditions.includes("import")) {
      return next(specifier, context)
    }
    if (/^\..*\.ts$/.test(specifier)) {
      return { url: new URL(specifier, parentURL).href, format: "module-typescript", shortCircuit: true }
    }
    const from = `${conditions} ${parentURL}`
    let resolved = known[from]?.[specifier]
    if (resolved === undefined) {
      resolved = next(specifier, context)
      ;(added[from] ??= {})[specifier] = resolved
    }
    return { ...resolved, shortCircuit: true }
  }
})

process.on("exit", () => {
  if (Object.keys(added).length === 0) return
  const resolutions = read()
  for (const [from, more] of Object.entries(added)) resolutions[from] = { ...resolutions[from], ...more }
  mkdirSync(folder, { recursive: true })
  // Others read it meanwhile, or write it, too: the whole file takes the place of the one before.
  writeFileSync(`${path}.${process.pid}`, JSON.stringify({ state, resolutions }))
  renameSync(`${path}.${process.pid}`, path)
})
