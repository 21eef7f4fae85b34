/**
 * The reply to several calls that took effect together: for each call the index as of which it holds, the number of its
 * parts, and these parts (`engine/Requests.ts` writes it).
 */
import type { Outcome } from "../engine/Inputs.ts"
import type { Reply } from "../engine/Operation.ts"

/** The result of one of several calls. */
export interface Result {
  readonly index: number
  readonly outcome: Extract<Outcome, { readonly _tag: "Success" }>
}

type Failure = Extract<Outcome, { readonly _tag: "Failure" }>

/** The results of calls that took effect together. */
export const resultsOf = (reply: Reply): ReadonlyArray<Result> => {
  const results: Array<Result> = []
  for (let at = 0; at < reply.length;) {
    const start = at + 2
    const end = start + Number(reply[at + 1])
    results.push({ index: Number(reply[at]), outcome: { _tag: "Success", reply: reply.slice(start, end) } })
    at = end
  }
  return results
}

/** The refusal of several calls: which call was refused, and its outcome. */
export const refusalOf = (
  { details, error }: Failure
): { readonly call: number; readonly outcome: Failure } => ({
  call: Number(details[0]),
  outcome: { _tag: "Failure", error, details: details.slice(1) }
})
