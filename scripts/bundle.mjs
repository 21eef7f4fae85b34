// Bundles each program of packages/node with all that it needs (docs/manager.md says why) into dist/programs. Prints
// nothing.
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { rolldown } from "rolldown"
import { inputs, outputFolder, programs, root, stampFile } from "./bundles.mjs"

/** The license of Effect, which it demands of every copy. */
const license = readFileSync(join(root, "node_modules/effect/LICENSE"), "utf8").trim()
const notice = `/*!\nContains parts of effect and @effect/platform-node.\n\n${license}\n*/`

/** The files of a program. Names are kept, because the stack of a defect shows them. */
const bundle = async (program) => {
  const bundler = await rolldown({
    input: { [program]: join(root, "packages/node/src/programs", `${program}.ts`) },
    platform: "node",
    resolve: { conditionNames: ["@effect-multiprocessing/source", "node", "import", "default"] },
    // The manifests say that no module does anything when it is loaded. A program does.
    treeshake: { moduleSideEffects: (path) => path.includes("/src/programs/") || undefined },
    onLog: (_, { message }) => {
      throw new Error(message)
    }
  })
  const { output } = await bundler.generate({
    format: "cjs",
    entryFileNames: "[name].cjs",
    chunkFileNames: "[name].cjs",
    banner: ({ moduleIds }) => moduleIds.some((path) => path.includes("node_modules")) ? notice : "",
    comments: { legal: true, annotation: false, jsdoc: false },
    minify: { compress: true, mangle: false, codegen: false }
  })
  await bundler.close()
  return output
}

/** Replaces a file at once, because other processes may be about to load it. */
const write = (path, text) => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.${process.pid}`, text)
  renameSync(`${path}.${process.pid}`, path)
}

const output = (await Promise.all(programs.map(bundle))).flat()
for (const { code, fileName } of output) write(join(outputFolder, fileName), code)
const files = Object.fromEntries(output.map(({ code, fileName }) => [fileName, code]))
write(join(outputFolder, "../embedded.js"), `export const files = ${JSON.stringify(files)}\n`)
const modules = output.flatMap(({ moduleIds }) => moduleIds).filter((path) => existsSync(path))
const sources = [...inputs, ...modules.map((path) => relative(root, path))]
const times = sources.map((path) => [path, statSync(join(root, path)).mtimeMs])
write(stampFile, JSON.stringify(Object.fromEntries(times)))
