/**
 * The operations of a transaction on one object of an own kind: one after the other, each on the state that the one before
 * has made. The manager runs them, so that no state travels: for each call of the transaction all up to this one, and once
 * more, with the same time and index, when the transaction commits.
 */
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type { Reply } from "../engine/Operation.ts"
import type * as Kind from "../Kind.ts"
import { type Evaluated, type Evaluator, type Refusal, undecodable } from "./Evaluator.ts"

/** Runs operations, which are given as name, payload or nothing, name, ... The outcome is that of the last one. */
export const evaluateAll = (
  kind: Kind.Any,
  evaluator: Evaluator,
  state: unknown,
  operations: Reply,
  step: Kind.Step
): Evaluated => {
  let evaluated: Evaluated = invalid("no operation")
  let current = state
  let grown = 0
  for (let i = 0; i < operations.length; i += 2) {
    const name = String(operations[i])
    // What a hold grants outlives its transaction.
    if (!Object.hasOwn(kind.operations, name) || kind.operations[name]!.access === "hold") {
      return invalid(`${name} is no operation of a transaction`)
    }
    if (i > 0 && evaluated._tag !== "Done") return invalid("an operation before the last one changes nothing")
    const sent = operations[i + 1]!
    if ((sent === null) !== (kind.operations[name]!.payload === Schema.Void)) {
      return invalid(`${name} without its payload`)
    }
    const payload = evaluator.payload(name, [sent])
    if (Exit.isFailure(payload)) return undecodable(payload)
    evaluated = evaluator.evaluate(name, current, payload.value, step)
    if (evaluated._tag !== "Done") continue
    current = evaluated.state
    grown += evaluated.grown
  }
  return evaluated._tag === "Done" ? { ...evaluated, grown } : evaluated
}

/** The outcome of the last operation, as its transaction is told it; or a refusal of the call. */
export const outcomeOf = (evaluated: Evaluated): Reply | Refusal => {
  switch (evaluated._tag) {
    case "Done":
    case "Answer":
      return [evaluated._tag, ...evaluated.reply]
    case "Waiting":
      return ["Waiting", evaluated.until !== undefined && Number.isFinite(evaluated.until) ? evaluated.until : null]
    case "Refuse":
      return evaluated.error === "Failed" ? ["Failed", ...evaluated.details] : evaluated
  }
}

const invalid = (issue: string): Refusal => ({ _tag: "Refuse", error: "InvalidArguments", details: [issue] })
