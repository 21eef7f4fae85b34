// Checks the code without running it. Every step runs, even after a failed one. Only steps that fail print their
// output.
import { spawnSync } from "node:child_process"

const steps = {
  "barrels": "node scripts/barrel.mjs --check",
  "types": "effect-tsgo patch && tsc -b",
  "lint": "oxlint --deny-warnings",
  "format": "dprint check",
  "unused code": "knip",
  "packages": "node scripts/pack.mjs"
}

const failed = []
for (const [name, command] of Object.entries(steps)) {
  const start = performance.now()
  const result = spawnSync(command, { shell: true, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } })
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`${result.status === 0 ? "ok    " : "FAILED"} ${name} (${command}, ${seconds} s)`)
  if (result.status !== 0) {
    failed.push(name)
    console.log(`${result.stdout}${result.stderr}`)
  }
}
if (failed.length > 0) {
  console.log(`check failed: ${failed.join(", ")}`)
  process.exitCode = 1
}
