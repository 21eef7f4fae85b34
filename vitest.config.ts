import { join } from "node:path"
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

// Tests run the packages' sources, not their builds; `process.execArgv` hands the condition on to spawned processes.
const condition = "@effect-multiprocessing/source"
const inRoot = (path: string): string => join(import.meta.dirname, path)

/** What `npm run test:fast` runs: what needs no other process and no large budget. */
const fast = ["test/unit/**/*.test.ts", "test/tidy/*.test.ts"]
const slow = [
  "test/unit/{simulate,actor/simulate,client/many,kind/simulate,engine/random,engine/together,interruption/*,pool/scheduler,protocol/fuzz}.test.ts",
  "test/unit/proxy/{fetched,values}.test.ts"
]

/** The files that take longest, which begin first: a worker that begins one last works alone. */
const longest = [
  "docs/kind",
  "docs/docs",
  "process/pool",
  "simulation/simulation",
  "process/process",
  "conformance/memory",
  "process/chaos",
  "unit/simulate"
]

/** A worker goes on with the next file only if that is of the same project. The project of small files fills the end. */
const order = ["thorough", "postgres", "fast"]

class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const rank = ({ moduleId, project }: TestSpecification): number => {
      const position = longest.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`))
      return position < 0 ? longest.length + order.indexOf(project.name) : position
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  resolve: { conditions: [condition, "module", "node", "development|production"] },
  ssr: { resolve: { conditions: [condition, "module", "node", "development|production"] } },
  test: {
    pool: "forks",
    // Hundreds of processes start in the tests: their programs are bundled, and compiled once.
    execArgv: [`--conditions=${condition}`, `--import=${inRoot("test/support/bundled.ts")}`],
    globalSetup: [inRoot("scripts/bundles.mjs")],
    env: { NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? inRoot("node_modules/.cache/compile") },
    sequence: { concurrent: false, sequencer: LongestFirst },
    // Many of them wait for processes: four at a time, also where there are only two cores.
    maxWorkers: 4,
    // Only a test that hangs may meet these: how fast the machine is, and what else it runs, decides nothing.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    projects: [
      // Its files share their workers, and the modules in them.
      { extends: true, test: { name: "fast", include: fast, exclude: slow, isolate: false } },
      {
        extends: true,
        test: {
          name: "thorough",
          isolate: false,
          include: ["test/!(unit|tidy|postgres)/**/*.test.ts", ...slow],
          globalSetup: "test/support/bundlePrograms.ts"
        }
      },
      // Its files share a server, which starts only if one of them runs.
      {
        extends: true,
        test: {
          name: "postgres",
          isolate: false,
          include: ["test/postgres/*.test.ts"],
          globalSetup: ["test/support/postgres.ts", "test/support/bundleCandidate.ts"]
        }
      }
    ]
  }
})
