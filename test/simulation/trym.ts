import { draw, run } from "./Plan.ts"
import { mutants } from "./mutants.ts"
const only = process.argv.slice(2)
for (const [name, mutant] of Object.entries(mutants)) {
  if (only.length > 0 && !only.includes(name)) continue
  const t0 = performance.now()
  let seed = 1
  let r: ReturnType<typeof run> | undefined
  for (; seed <= 1000; seed++) { r = run(draw(seed), mutant); if (r.violations.length > 0) break }
  console.log(name.padEnd(30), seed, Math.round(performance.now() - t0), r?.violations.slice(0, 1).join("").split("\n")[0]?.slice(0, 160))
}
