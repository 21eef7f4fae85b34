/**
 * An own kind at work: its functions on plain states, guarded by its schemas. The manager and the model that certifies it
 * both stand on this, and nothing here knows either.
 *
 * No method throws, whatever a function of the kind does: a defect of the kind is a refusal, and the state stays.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type { Reply } from "../engine/Operation.ts"
import { type Cell, cell, isEqual } from "../engine/Value.ts"
import type * as Kind from "../Kind.ts"
import { type Codec, codecsOf, type KindCodecs } from "./codecs.ts"
import { type Fit, fitOf, freeze } from "./fit.ts"
import { growth } from "./size.ts"

/** A state, and the bytes that it has more than the state before. */
export interface Made {
  readonly state: unknown
  readonly grown: number
}

/** The outcome of a call, checked and encoded. */
export type Evaluated =
  | Made & { readonly _tag: "Done"; readonly reply: Reply }
  | { readonly _tag: "Answer"; readonly reply: Reply }
  | Kind.Waiting
  | Refusal

/** The call fails: with an error of its operation, or because of a defect of the kind. */
export interface Refusal {
  readonly _tag: "Refuse"
  readonly error: "Failed" | "TransitionFailed" | "InvalidArguments"
  readonly details: Reply
}

const nothing: Reply = []

/** The payload of an operation that has none, and the options of an object that has none. */
const nothingGiven: Exit.Exit<undefined> = Exit.succeed(undefined)

/** The functions of one kind. */
export class Evaluator {
  readonly #kind: Kind.Any
  readonly #codecs: KindCodecs
  readonly #fit: Fit
  /** The last options, and the state that they gave: an object is decided to be made, then made. */
  #begun: { readonly options: string; readonly made: Made } | undefined

  constructor(kind: Kind.Any) {
    this.#kind = kind
    this.#codecs = codecsOf(kind)
    this.#fit = fitOf(kind.state)
  }

  /** The state of a new object with these options, as text; or the reason for which there is none. */
  begin(options: string): Result.Result<Made, string> {
    if (this.#begun?.options === options) return Result.succeed(this.#begun.made)
    const decoded = this.#codecs.options?.decode(cell(options)) ?? nothingGiven
    if (Exit.isFailure(decoded)) return Result.fail(`the options do not decode: ${issueOf(decoded)}`)
    const made = this.#made("initial", undefined, () => this.#kind.functions.initial(decoded.value))
    if (Result.isSuccess(made)) this.#begun = { options, made: made.success }
    return made
  }

  /** Whether a state is that of a new object with these options. */
  isInitial(options: string, state: unknown): boolean {
    const begun = this.begin(options)
    if (Result.isFailure(begun)) return false
    const { success: { state: initial } } = begun
    return initial === state || isEqual(this.show(initial), this.show(state))
  }

  /** Decodes the payload of a call. Its parameter has recognised a value. */
  payload(operation: string, [sent]: Reply): Exit.Exit<unknown, Schema.SchemaError> {
    const { payload } = this.#codecs.operations[operation]!
    if (payload === undefined) return nothingGiven
    const decoded = payload.decode(sent as Cell)
    if (Exit.isSuccess(decoded)) freeze(decoded.value)
    return decoded
  }

  /** Runs the transition of a call. */
  evaluate(operation: string, state: unknown, payload: unknown, step: Kind.Step): Evaluated {
    const ran = Result.try(() =>
      this.#outcome(operation, state, this.#kind.functions.transitions[operation]!(state, payload, step))
    )
    return Result.isSuccess(ran) ? ran.success : failed(thrown(ran.failure))
  }

  /** The state after a hold has ended; or the reason for which there is none. */
  release(
    operation: string,
    state: unknown,
    sent: Reply,
    hold: Omit<Kind.Hold<unknown>, "payload">
  ): Result.Result<Made, string> {
    return this.#made(`released.${operation}`, state, () => {
      // It was decoded when the hold was granted.
      const payload = Exit.getSuccess(this.payload(operation, sent)).pipe(Option.getOrThrow)
      return this.#kind.functions.released[operation]!(state, { ...hold, payload })
    })
  }

  /** A state as a value. One that does not encode is a text that does not decode. */
  show(state: unknown): Cell {
    const encoded = this.#codecs.state.encodeCanonical(state)
    return Exit.isSuccess(encoded) ? encoded.value : cell(JSON.stringify({ issue: issueOf(encoded) }))
  }

  /** A state from a value. */
  parse(value: Cell): Result.Result<unknown, string> {
    const decoded = this.#codecs.state.decode(value)
    if (Exit.isFailure(decoded)) return Result.fail(issueOf(decoded))
    freeze(decoded.value)
    return Result.succeed(decoded.value)
  }

  /** The invariants that do not hold, as sentences. */
  violations(state: unknown): ReadonlyArray<string> {
    return Object.entries(this.#kind.functions.invariants).flatMap(([name, holds]) => {
      const result = Result.try(() => holds(state))
      return Result.isSuccess(result) && result.success
        ? []
        : [`${this.#kind.name}: the invariant "${name}" does not hold for ${textOf(this.show(state))}`]
    })
  }

  #outcome(operation: string, state: unknown, outcome: unknown): Evaluated {
    if (!Predicate.hasProperty(outcome, "_tag")) return failed(`returned ${show(outcome)}, which is no outcome`)
    const { access } = this.#kind.operations[operation]!
    const { error, success } = this.#codecs.operations[operation]!
    // The tag says which. Each part is checked, because a tag can be written by hand.
    const known = outcome as Kind.Outcome<unknown, unknown, unknown> | Kind.Done<unknown>
    switch (known._tag) {
      case "Done":
      case "Replied": {
        if (access === "read") return failed("of a read returned a new state")
        const grown = this.#accept(known.state, state)
        if (typeof grown === "string") return failed(grown)
        const reply = replyOf(success, known._tag === "Done" ? undefined : known.value)
        return isRefused(reply) ? reply : { _tag: "Done", state: known.state, grown, reply }
      }
      case "Succeeded": {
        if (access === "hold") return failed("of a hold left the state as it is")
        const reply = replyOf(success, known.value)
        return isRefused(reply) ? reply : { _tag: "Answer", reply }
      }
      case "Failed": {
        const encoded = error.encode(known.error)
        return Exit.isSuccess(encoded)
          ? { _tag: "Refuse", error: "Failed", details: [encoded.value] }
          : failed(unfit("an error", encoded))
      }
      case "Waiting":
        return known.until === undefined || typeof known.until === "number" && !Number.isNaN(known.until)
          ? known
          : failed(`waits until ${show(known.until)}, which is no time`)
      default:
        return failed(`returned ${show(outcome)}, which is no outcome`)
    }
  }

  /** Runs a function of the kind that makes a state. */
  #made(name: string, previous: unknown, make: () => unknown): Result.Result<Made, string> {
    const made = Result.try(() => {
      const state = make()
      const grown = this.#accept(state, previous)
      return typeof grown === "string" ? Result.fail(grown) : Result.succeed({ state, grown })
    })
    return Result.mapError(
      Result.isSuccess(made) ? made.success : Result.fail(thrown(made.failure)),
      (issue) => `${name} of the kind ${this.#kind.name} ${issue}`
    )
  }

  /** Freezes a new state, and returns the bytes that it has more; or the reason for which it is none. */
  #accept(next: unknown, previous: unknown): number | string {
    if (!this.#fit(next, previous)) return unfit("a state", this.#codecs.state.encode(next))
    freeze(next)
    return growth(next, previous)
  }
}

/** The refusal of a call whose payload does not decode: its client has another schema. */
export const undecodable = (exit: Exit.Exit<unknown, Schema.SchemaError>): Refusal => ({
  _tag: "Refuse",
  error: "InvalidArguments",
  details: [`the payload does not decode: ${issueOf(exit)}`]
})

/** The defect of a transition. */
const failed = (issue: string): Refusal => ({ _tag: "Refuse", error: "TransitionFailed", details: [issue] })

const replyOf = (codec: Codec | undefined, value: unknown): Reply | Refusal => {
  if (codec === undefined) {
    return value === undefined ? nothing : failed(`returned ${show(value)}, but the operation has no success`)
  }
  const encoded = codec.encode(value)
  return Exit.isSuccess(encoded) ? [encoded.value] : failed(unfit("a value", encoded))
}

const isRefused = (reply: Reply | Refusal): reply is Refusal => "_tag" in reply

const thrown = (reason: unknown): string => `threw ${show(reason)}`

const unfit = (what: string, encoded: Exit.Exit<unknown, Schema.SchemaError>): string =>
  `returned ${what} that does not fit its schema: ${issueOf(encoded)}`

const issueOf = (exit: Exit.Exit<unknown, Schema.SchemaError>): string =>
  Exit.isFailure(exit) ? show(Cause.squash(exit.cause)) : "it has another type"

/** As text. A value may have none, or throw when it is asked for it. */
const show = (u: unknown): string =>
  Result.getOrElse(Result.try(() => u instanceof Error ? `${u.message}` : String(u)), () => "something without a text")

const textOf = ({ text = "bytes" }: Cell): string => text
