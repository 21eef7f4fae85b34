import { draw, run } from "./Plan.ts"
;(globalThis as any).DBG = process.env.S
  ? (i: any, e: any) => {
    if (i.session === Number(process.env.S)) console.log(e.state.index, JSON.stringify(i).slice(0, 120))
  }
  : undefined
const seed = Number(process.argv[2])
const plan = draw(seed)
const r = run(plan)
console.log(r.violations, r.faults, r.steps, r.milliseconds, plan.inFlightMax, plan.clients)
for (const e of r.history.journal.slice(-Number(process.argv[3] ?? 15))) {
  console.log(
    e.index,
    e.cause,
    `${e.session}:${e.sequence}`,
    e.kind + "#" + e.object,
    e.operation,
    JSON.stringify(e.args).slice(0, 100),
    JSON.stringify(e.reply).slice(0, 80)
  )
}
for (const e of r.history.records.filter((r) => r.outcome === undefined)) {
  console.log("open", e.client, e.sequence, e.operation, e.object, e.fate)
}
for (const e of r.history.records.slice(r.history.records.length - Number(process.argv[4] ?? 0))) {
  console.log(e.client, e.sequence, e.operation, e.object, JSON.stringify(e.outcome), e.fate)
}
