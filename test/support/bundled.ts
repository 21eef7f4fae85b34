/**
 * Loaded into every process of the tests before its program: a program that is bundled runs from its bundle, under its
 * own name.
 */
import { existsSync } from "node:fs"
import { registerHooks } from "node:module"
import { pathToFileURL } from "node:url"
import { bundleOf } from "./bundleOf.ts"

const program = process.argv[1]
const bundle = program === undefined ? undefined : bundleOf(program)

if (bundle !== undefined && existsSync(bundle)) {
  const { href } = pathToFileURL(program!)
  const source = `import ${JSON.stringify(pathToFileURL(bundle).href)}`
  registerHooks({
    load: (url, context, next) => url === href ? { format: "module", source, shortCircuit: true } : next(url, context)
  })
}
