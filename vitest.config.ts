import { join } from "node:path"
import { defineConfig } from "vitest/config"

// Tests run the packages' sources, not their builds; `process.execArgv` hands the condition on to spawned processes.
const condition = "@effect-multiprocessing/source"

export default defineConfig({
  resolve: { conditions: [condition, "module", "node", "development|production"] },
  ssr: { resolve: { conditions: [condition, "module", "node", "development|production"] } },
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    execArgv: [`--conditions=${condition}`],
    // Hundreds of processes start in the tests: what is compiled of the modules is kept for all that come later.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/compile") },
    sequence: { concurrent: false },
    // Most of them wait for processes: two at a time, also where there are only two cores.
    maxWorkers: 2,
    // Only a test that hangs may meet these: how fast the machine is, and what else it runs, decides nothing.
    testTimeout: 600_000,
    hookTimeout: 600_000
  }
})
