import { draw, run } from "./Plan.ts"
const from = Number(process.argv[2] ?? 1), n = Number(process.argv[3] ?? 1)
let failed = 0
const t0 = performance.now()
let steps = 0, entries = 0, records = 0
for (let seed = from; seed < from + n; seed++) {
  const r = run(draw(seed))
  steps += r.steps
  entries += r.history.journal.length
  records += r.history.records.length
  if (r.violations.length > 0) {
    failed++
    if (failed <= 6) console.log(seed, r.faults, r.steps, r.violations.slice(0, 5).join("\n"))
  }
}
console.log({ failed, ms: (performance.now() - t0) / n, steps: steps / n, entries: entries / n, records: records / n })
