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
    sequence: { concurrent: false },
    testTimeout: 30_000,
    hookTimeout: 30_000
  }
})
