/**
 * Parameters: how an argument is recognised on arrival, and the types that follow from it.
 */
import { type Argument, type Cell, isCell } from "./Value.ts"

/** How one parameter is recognised on arrival. */
export interface Parameter<A extends Argument> {
  /** The name that its caller knows; empty: none. */
  readonly name: string
  readonly expected: string
  readonly is: (argument: Argument | undefined) => argument is A
}

/** How an option that may be absent is recognised. */
export interface OptionalParameter<A extends Argument> extends Parameter<A> {
  readonly isOptional: true
}

const parameter = <A extends Argument>(
  expected: string,
  is: (argument: Argument | undefined) => boolean,
  name = ""
): Parameter<A> => ({
  name,
  expected,
  is: (argument): argument is A => is(argument)
})

/** A parameter by the name that its caller knows. */
export const named = <A extends Argument>(name: string, { expected, is }: Parameter<A>): Parameter<A> =>
  parameter(expected, is, name)

/** What an argument of this name must be, and what it is. */
export const issueOf = (name: string, { expected }: Parameter<Argument>, argument: Argument | undefined): string => {
  const shown = isCell(argument)
    ? "a value"
    : typeof argument === "string"
    ? JSON.stringify(argument.slice(0, shownMax))
    : String(argument)
  return `${expected} as ${name}, not ${shown}`
}

/** Characters of a text that a message shows. */
const shownMax = 50

/** A stored value. */
export const value: Parameter<Cell> = parameter("a value", (u) => typeof u === "object" && u !== null)
/** A stored value, or nothing. */
export const valueOrNothing: Parameter<Cell | null> = parameter(
  "a value or nothing",
  (u) => typeof u === "object"
)
/** A word: a field name, or a map key in canonical text. */
export const word: Parameter<string> = parameter("a word", (u) => typeof u === "string")
/** A word, or nothing. */
export const wordOrNothing: Parameter<string | null> = parameter(
  "a word or nothing",
  (u) => typeof u === "string" || u === null
)
/** A number without a fraction from 0 up. */
export const count: Parameter<number> = parameter(
  "a whole number from 0 up",
  (u) => typeof u === "number" && Number.isSafeInteger(u) && u >= 0
)
/** A number without a fraction from 0 up, or nothing. */
export const countOrNothing: Parameter<number | null> = parameter(
  "a whole number from 0 up, or nothing",
  (u) => u === null || count.is(u)
)
/** Anything that can be an argument. */
export const anything: Parameter<Argument> = parameter("anything", (u) => u !== undefined)
/** A finite number. */
export const number: Parameter<number> = parameter("a finite number", (u) => Number.isFinite(u))
/** A finite number, or nothing. */
export const numberOrNothing: Parameter<number | null> = parameter(
  "a finite number or nothing",
  (u) => u === null || Number.isFinite(u)
)

/** A number without a fraction. */
export const integer: Parameter<number> = parameter("a whole number of any sign", (u) => Number.isSafeInteger(u))
/** A place in a list or an array: a negative one counts from its end. */
export const index: Parameter<number> = named("index", integer)
/** The first place of a part of it. */
export const start: Parameter<number> = named("start", integer)
/** The place behind a part of it. */
export const end: Parameter<number> = named("end", integer)
/** A number without a fraction from 1 up. */
export const positive: Parameter<number> = parameter(
  "a whole number from 1 up",
  (u) => typeof u === "number" && Number.isSafeInteger(u) && u >= 1
)
/** A number of at least 1; `Infinity` is one. */
export const atLeastOne: Parameter<number> = parameter("a number of at least 1", (u) => typeof u === "number" && u >= 1)

/** One of these words. */
export const oneOf = <const A extends string>(...words: ReadonlyArray<A>): Parameter<A> =>
  parameter(words.join(" or "), (u) => words.some((word) => word === u))

/** An option that may be absent: `Kind.initial` has its default. */
export const optional = <A extends Argument>({ expected, is }: Parameter<A>): OptionalParameter<A> => ({
  ...parameter<A>(expected, (u) => u === undefined || is(u)),
  isOptional: true
})

/** The parameters of an operation, in order. */
export type Parameters = ReadonlyArray<Parameter<Argument>>

/** The arguments that match a list of parameters. */
export type ArgumentsOf<P extends Parameters> = {
  readonly [I in keyof P]: P[I] extends Parameter<infer A> ? A : never
}

/** The arguments that match parameters and a group that may follow them again and again. */
export type AllArguments<P extends Parameters, Rest extends Parameters> = Rest extends readonly [] ? ArgumentsOf<P>
  : readonly [...ArgumentsOf<P>, ...ReadonlyArray<ArgumentsOf<Rest>[number]>]

/** The options of an object, besides its values: all programs that open a name must agree on them (S-27). */
export type Options = Readonly<Record<string, Argument>>

/** The options of a kind, by name. */
export type OptionParameters = Readonly<Record<string, Parameter<Argument>>>

/** The options that match their parameters. */
export type OptionsOf<P extends OptionParameters> =
  & { readonly [Name in keyof P as P[Name] extends OptionalParameter<Argument> ? never : Name]: OptionOf<P[Name]> }
  & { readonly [Name in keyof P as P[Name] extends OptionalParameter<Argument> ? Name : never]?: OptionOf<P[Name]> }

type OptionOf<P> = P extends Parameter<infer A> ? A : never
