/**
 * Record: a fixed set of named fields, each a value with a version. `Ref` is a record of one field, `Namespace` one of
 * several; a field that is a number can be added to (S-25).
 *
 * A version is the index of the change that wrote it, 0 at first: equal versions mean an unchanged field.
 */
import {
  answer,
  type At,
  count,
  kindOf,
  number,
  operationsOf,
  type Options,
  ready,
  type Refusal,
  refuse,
  value,
  word
} from "../Kind.ts"
import { type Argument, type Cell, cell } from "../Value.ts"
import * as Turn from "./turn.ts"

interface Field {
  value: Cell
  version: number
  /** What results of arithmetic must satisfy; absent: the field is not a number. */
  readonly arithmetic: Arithmetic | undefined
}

interface Arithmetic {
  readonly integer: boolean
  readonly minimum: number
  readonly maximum: number
  /** Exclusive bounds. */
  readonly above: number
  readonly below: number
}

interface State extends Turn.Turns {
  readonly fields: ReadonlyMap<string, Field>
}

const { change, grant, read } = operationsOf<State, "turns">()

const put = (state: State, name: string, next: Cell, at: At): void => {
  const field = state.fields.get(name)!
  at.retain(next)
  at.release(field.value)
  field.value = next
  field.version = at.index
}

const write = (state: State, name: string, next: Cell, at: At): void => {
  put(state, name, next, at)
  at.changed([name, next])
}

const unknownField = (name: string) => refuse("UnknownField", name)

const ifKnown = (state: State, [name]: readonly [string, ...ReadonlyArray<unknown>]) =>
  state.fields.has(name) ? ready : unknownField(name)

const sum = (field: Field, by: number): number | Refusal => {
  const { arithmetic } = field
  if (arithmetic === undefined) return refuse("NotANumber")
  const result = Number(field.value.text) + by
  const { above, below, integer, maximum, minimum } = arithmetic
  return result >= minimum && result <= maximum && result > above && result < below &&
      (!integer || Number.isSafeInteger(result))
    ? result
    : refuse("OutOfBounds", result)
}

const operations = {
  /** The value and version of a field; nothing if there is no such field. */
  get: read([word], (state, [name]): readonly [] | readonly [Cell, number] => {
    const field = state.fields.get(name)
    return field === undefined ? [] : [field.value, field.version]
  }),
  /** Name and value of every field, of one instant. */
  getAll: read([], (state) => entries(state)),
  set: change({
    parameters: [word, value],
    decide: ifKnown,
    apply: (state, [name, next], at) => {
      write(state, name, next, at)
      return []
    }
  }),
  /** Name, value, name, value, …: all in one step, and one change for those who watch. */
  setAll: change({
    parameters: [],
    rest: [word, value],
    decide: (state, args) => {
      const unknown = args.find((name, i) => i % 2 === 0 && !state.fields.has(name as string))
      return unknown === undefined ? ready : unknownField(unknown as string)
    },
    apply: (state, args, at) => {
      for (let i = 0; i < args.length; i += 2) put(state, args[i] as string, args[i + 1] as Cell, at)
      at.changed(args)
      return []
    }
  }),
  /** Adds to a number and replies with the sum. */
  add: change({
    parameters: [word, number],
    decide: (state, [name, by]) => {
      const field = state.fields.get(name)
      if (field === undefined) return unknownField(name)
      const result = sum(field, by)
      return typeof result === "number" ? ready : result
    },
    apply: (state, [name, by], at) => {
      const result = sum(state.fields.get(name)!, by) as number
      write(state, name, cell(JSON.stringify(result)), at)
      return [result] as const
    }
  }),
  /** Field, expected version, new value, turn or 0. Replies 1, or 0 with the current value and version. */
  compareAndSet: change({
    parameters: [word, count, value, count],
    decide: (state, [name, version, , turn], at) => {
      const field = state.fields.get(name)
      if (field === undefined) return unknownField(name)
      return Turn.mustYield(state, turn, at) || field.version !== version
        ? answer(0, field.value, field.version)
        : ready
    },
    apply: (state, [name, , next, turn], at): readonly [done: number, value: Cell | null, version: number] => {
      write(state, name, next, at)
      Turn.end(state, turn, at)
      return [1, null, 0]
    }
  }),
  /** Waits for its turn at this record; replies with the turn, and the field's value and version. */
  turn: grant({
    parameters: [word],
    lane: "turns",
    decide: (state, [name]) => state.fields.has(name) ? Turn.decideTurn(state) : unknownField(name),
    apply: (state, [name], at) => {
      const field = state.fields.get(name)!
      return [Turn.begin(state, at), field.value, field.version] as const
    }
  }),
  endTurn: Turn.endTurn
}

const entries = (state: State): ReadonlyArray<Argument> =>
  [...state.fields].flatMap(([name, field]): ReadonlyArray<Argument> => [name, field.value])

/**
 * The options name the fields in order. Each is `""`, or for a number `"integer"` or `"real"` and its bounds: minimum,
 * maximum, and the exclusive ones.
 */
const initial = (options: Options, values: ReadonlyArray<Cell>): State | Refusal<"InvalidOptions"> => {
  const names = Object.keys(options)
  if (names.length === 0 || names.length !== values.length) {
    return refuse("InvalidOptions", `${names.length} fields with ${values.length} initial values`)
  }
  return {
    fields: new Map(names.map((name, i) => [name, {
      value: values[i]!,
      version: 0,
      arithmetic: arithmetic(String(options[name]))
    }])),
    turn: undefined
  }
}

const arithmetic = (option: string): Arithmetic | undefined => {
  const [type, ...bounds] = option.split(" ")
  const [minimum = -Infinity, maximum = Infinity, above = -Infinity, below = Infinity] = bounds.map(Number)
  return type === "" ? undefined : { integer: type === "integer", minimum, maximum, above, below }
}

const record = <const Name extends string>(name: Name) =>
  kindOf<State>()({
    name,
    lanes: ["turns"],
    operations,
    initial,
    pristine: () => false,
    revoke: Turn.revoke,
    snapshot: entries,
    values: (state) => [...state.fields.values()].map((field) => field.value),
    describe: (state) => ({ fields: [...state.fields], turn: state.turn ?? null }),
    check: Turn.check
  })

/** The kind behind `SharedRef` and `SharedNumber`. */
export const ref = record("Ref")

/** The kind behind `SharedNamespace`. */
export const namespace = record("Namespace")
