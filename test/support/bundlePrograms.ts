/**
 * Bundles the programs that tests start. The tests start hundreds of processes, and a process that loads 400 modules
 * takes five times as long to start as one that loads what these programs use of them.
 */
import { globSync, rmSync } from "node:fs"
import { join, relative } from "node:path"
import { pathToFileURL } from "node:url"
import { rolldown } from "rolldown"
import { bundleOf, folder } from "./bundleOf.ts"

const root = join(import.meta.dirname, "../..")

/** Bundles programs, by their paths. In a bundle each module still has its own URL. */
export const bundle = async (programs: ReadonlyArray<string>): Promise<void> => {
  const input = Object.fromEntries(
    programs.map((program) => [relative(folder, bundleOf(program)).replace(/\.mjs$/, ""), program])
  )
  const bundled = await rolldown({
    input,
    platform: "node",
    resolve: { conditionNames: ["@effect-multiprocessing/source", "node", "import"] },
    plugins: [{
      name: "urls",
      transform: {
        filter: { code: "import.meta.url" },
        handler: (code, id) => code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href))
      }
    }]
  })
  await bundled.write({ dir: folder, entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" })
}

/** Before the tests: bundles the programs of the repository. */
export const setup = (): Promise<void> => {
  rmSync(folder, { recursive: true, force: true })
  return bundle(
    globSync([
      "examples/**/*.ts",
      "test/process/fixtures/*.ts",
      "test/{chaos,simulation,stress}/main.ts",
      "test/chaos/candidate.ts",
      "bench/{main,client,managerServer}.ts",
      "packages/cli/src/bin/*.ts"
    ], { cwd: root }).map((file) => join(root, file))
  )
}
