/** How the handler of a task, or of an actor's method, may fail: the errors of this library, and the schemas of what is told. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { ManagerError, type OptionsMismatch, type SchemaMismatch } from "../ManagerError.ts"
import type { HoldLost } from "../SharedObject.ts"
import type { LeaseLost } from "../SharedQueue.ts"
import type { PermitsLost } from "../SharedSemaphore.ts"
import type { LockLost } from "./locking.ts"

/** The caller gets these as defects. */
type Undeclared = HoldLost | LeaseLost | LockLost | OptionsMismatch | PermitsLost | SchemaMismatch

/**
 * What a handler may fail with besides the errors that it declares. Its caller gets `ManagerError` as if the caller's own
 * call had failed, and each of the others as a defect, unless it is declared.
 */
export type Infrastructure = ManagerError | Undeclared

const tags: Record<Undeclared["_tag"], true> = {
  HoldLost: true,
  LeaseLost: true,
  LockLost: true,
  OptionsMismatch: true,
  PermitsLost: true,
  SchemaMismatch: true
}

/** Makes defects of the errors that a handler need not declare, and has not declared. */
export const dieOfUndeclared = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  { error: declared }: { readonly error: Schema.Top }
): Effect.Effect<A, E, R> =>
  Effect.catchIf(
    effect,
    (error) => Predicate.hasProperty(error, "_tag") && String(error._tag) in tags && !Schema.is(declared)(error),
    Effect.die
  )

/** Characters of a failure that are told when the whole cannot be. */
const beginningLength = 2_000

/** How a handler has failed, as text for people: its first characters, because it may be of any length. */
export const beginningOf = (cause: Cause.Cause<unknown>): string => {
  const text = Cause.pretty(cause)
  return text.length <= beginningLength ? text : `${text.slice(0, beginningLength).toWellFormed()}…`
}

/** The defect of a handler that returns something else than it must: Effect would end the fiber with all that stands around it. */
export const noEffect = (handler: string, value: unknown, wanted: "an Effect" | "a Stream"): Effect.Effect<never> => {
  const what = Predicate.isPromiseLike(value) ? "a promise (use Effect.promise)" : typeof value
  return Effect.die(new Error(`the handler of ${handler} returned ${what} instead of ${wanted}`))
}

/** The schema of the errors that a caller gets: those that are declared, and those of the manager. */
export const failureOf = <E extends Schema.Top>(declared: E) =>
  // First, because declared errors may be of any type.
  Schema.Union([ManagerError, declared])

/** The schema of how a handler fails: with these errors, or with a defect, which keeps its stack. */
export const causeOf = <E extends Schema.Top>(declared: E) =>
  Schema.Cause(failureOf(declared), Schema.Defect({ includeStack: true }))
