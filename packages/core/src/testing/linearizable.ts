/**
 * Checks the linearizability of a short history by search, without indexes: the tests compare `certify` with it.
 *
 * The search is Wing and Gong's with Lowe's memory. Each call that began before the first pending call completed may
 * come next. A set of done calls with a state that was met before is not tried again. The search is exponential in the
 * number of concurrent calls: it is for a few hundred calls of a few clients on one object. `certify` has no such
 * bound.
 */
import type { CallRecord } from "./History.ts"
import { type Model, sameReply } from "./kinds/Model.ts"

/**
 * Whether an order of the calls explains every outcome and respects their times, which are of one clock. A call without
 * an outcome may have taken effect at any time after it began, or never.
 *
 * The index of a record serves only as the name of its change, which tokens and versions repeat. An open change whose
 * index is not known matches any version that was read, but no compare-and-set.
 */
export const linearizable = (records: ReadonlyArray<CallRecord>, initial: Model): boolean => {
  const calls = [...records].sort((left, right) => left.invoke - right.invoke)
  const required = calls.filter(({ outcome }) => outcome !== undefined).length
  const met = new Set<string>()
  const done = calls.map(() => false)

  const search = (model: Model, found: number): boolean => {
    if (found === required) return true
    const known = `${done.map(Number).join("")} ${JSON.stringify(model.state())}`
    if (met.has(known)) return false
    met.add(known)
    // A call that began after a pending call had completed cannot come before it.
    const horizon = calls.reduce(
      (earliest, { complete = Infinity }, i) => done[i] ? earliest : Math.min(earliest, complete),
      Infinity
    )
    return calls.some((call, i) => {
      if (done[i] === true || call.invoke > horizon) return false
      done[i] = true
      const isFound = outcomes(model, call).some((next) => search(next, call.outcome === undefined ? found : found + 1))
      done[i] = false
      return isFound
    })
  }
  return search(initial, 0)
}

/** The possible states of the object after a call, if the call is the next one. */
const outcomes = (model: Model, record: CallRecord): ReadonlyArray<Model> => {
  const { outcome } = record
  const call = { ...record, index: record.index ?? NaN }
  const answer = model.look(call)
  if (answer !== undefined) {
    if ("isTimed" in answer) return [model]
    const isSo = "error" in answer
      ? outcome?._tag === "Failure" && outcome.error === answer.error
      : outcome?._tag === "Success" && sameReply(answer.reply, outcome.reply)
    if (isSo) return [model]
    if (answer.ifOthersWait !== true) return []
  }
  const next = model.copy()
  const reply = next.change(call)
  if (reply === undefined) return []
  if (outcome === undefined) return [next]
  return outcome._tag === "Success" && sameReply(reply, outcome.reply) ? [next] : []
}
