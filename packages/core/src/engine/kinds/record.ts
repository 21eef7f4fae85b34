/**
 * Record: values by word, in order of first insertion. The fields of a *closed* record are declared and stay: a `Ref` has
 * one field, a `Namespace` several. The entries of an *open* record come and go: the words of a `Map` are keys in canonical
 * text, those of an `OpenNamespace` are names. The manager can add to a value that is a number (S-25).
 *
 * The version of an entry is the index of the change that wrote it, 0 for an initial value: equal versions mean an
 * unchanged entry. An absent entry has version 0, too.
 */
import { numberIn } from "../Conditions.ts"
import * as Format from "../Format.ts"
import { kindOf } from "../Kind.ts"
import * as Memory from "../Memory.ts"
import { answer, type At, type Grant, operationsOf, ready, type Refusal, refuse, wait } from "../Operation.ts"
import {
  count,
  named,
  number,
  type Options,
  type Parameter,
  value,
  valueOrNothing,
  word,
  wordOrNothing
} from "../Parameter.ts"
import { type Argument, type Cell, cell, isEqual, textOf } from "../Value.ts"
import {
  type Arithmetic,
  drop,
  entryMeets,
  find,
  type Found,
  insert,
  ofEntry,
  parts,
  put,
  remove,
  type SavedEntry,
  type State,
  sum,
  unbind,
  unfit,
  unknownField,
  versionOf,
  write
} from "./recordEntries.ts"
import * as Reservation from "./reservation.ts"
import * as Scan from "./scan.ts"

const { change, grant, read } = operationsOf<State, "conditions">()

/** Something that a transaction has read has changed. */
const conflict = refuse("Conflict")

// ---------------------------------------------------------------------------------------------------------------
// operations
// ---------------------------------------------------------------------------------------------------------------

/** The operations of all records. */
const operations = {
  /** Replies with value and version; with nothing and 0 if the entry is absent. */
  get: read([word], (state, [word]) => find(state, word)),
  /** As `get`, of several entries. */
  getAll: read([], (state, words): ReadonlyArray<Argument> => words.flatMap((word) => find(state, word)), {
    rest: [word]
  }),
  /** Replies with word, value, word, value, … of all entries. */
  entries: read([], (state): ReadonlyArray<Argument> => [...parts(state)]),
  set: change({
    parameters: [word, value],
    decide: (state, [word]) => unknownField(state, word) ?? ready,
    apply: (state, [word, next], at) => {
      write(state, word, next, at)
      return []
    }
  }),
  /**
   * Word, value, word, value, …: sets all in one step, or removes the entry where there is no value. Watchers get one
   * change for entries in a row that are set, or removed.
   */
  setAll: change({
    parameters: [],
    rest: [word, valueOrNothing],
    decide: (state, args) => {
      let changes = false
      for (let i = 0; i < args.length; i += 2) {
        const word = args[i] as string
        const isRemoval = args[i + 1] === null
        const refused = unknownField(state, word) ?? unfit(state, word, args[i + 1] as Cell | null)
        if (refused !== undefined) return refused
        changes ||= !isRemoval || state.entries.has(word)
      }
      return changes ? ready : answer()
    },
    apply: (state, args, at) => {
      let told: Array<Argument> = []
      for (let i = 0; i < args.length; i += 2) {
        const word = args[i] as string
        const next = args[i + 1] as Cell | null
        const entry = state.entries.get(word)
        if (next === null && entry === undefined) continue
        if (told.length > 0 && (told[1] === null) !== (next === null)) {
          at.changed(told)
          told = []
        }
        if (next === null) drop(state, entry!, at)
        else put(state, word, next, at)
        told.push(word, next)
      }
      at.changed(told)
      return []
    }
  }),
  /** Word, version, word, version, …: refused if one has another version. No word stands for all words. */
  check: read([], () => [], {
    rest: [wordOrNothing, count],
    decide: (state, args) => {
      for (let i = 0; i < args.length; i += 2) {
        if (versionOf(state, args[i] as string | null) !== args[i + 1]) return conflict
      }
      return ready
    }
  }),
  /** Waits until an entry, or no word for all words, has another version. */
  untilChanged: read([wordOrNothing, count], () => [], {
    lane: "conditions",
    condition: ([word]) => [word, ""],
    decide: (state, [word, version]) => versionOf(state, word) === version ? wait : ready
  }),
  /** Adds to a number, to 0 if the entry is absent, and replies with the sum. */
  add: change({
    parameters: [word, named("by", number)],
    decide: (state, [word, by]) => {
      const result = sum(state, word, by)
      return typeof result === "number" ? ready : result
    },
    apply: (state, [word, by], at) => {
      const result = sum(state, word, by) as number
      write(state, word, cell(JSON.stringify(result)), at)
      return [result] as const
    }
  }),
  ...Reservation.operations({
    key: word,
    /** A version; 0: the entry is absent or has its initial value. */
    expected: count,
    /** A value, or nothing to remove the entry. */
    next: valueOrNothing,
    absent: unknownField,
    unfit,
    find,
    isExpected: (state, word, version) => find(state, word)[1] === version,
    replace: (state, word, next, at) => next === null ? remove(state, word, at) : write(state, word, next, at)
  }),
  /** Waits until the entry has this value. Equal values are equal canonical text (S-25). */
  untilEquals: read([word, value], (state, [word]) => find(state, word), {
    lane: "conditions",
    condition: ([word, value]) => [word, textOf(value)],
    decide: (state, [word, value]) => entryMeets(state, word, (entry) => isEqual(entry.value, value))
  }),
  /** Waits until the entry is a number of at least this minimum; replies with the entry. */
  untilAtLeast: read([word, named("minimum", number)], (state, [word]) => find(state, word), {
    lane: "conditions",
    condition: ([word, minimum]) => [word, 1, minimum],
    decide: (state, [word, minimum]) => entryMeets(state, word, ({ value }) => numberIn(value.text) >= minimum)
  }),
  /** Waits until the entry is a number of at most this maximum; replies with the entry. */
  untilAtMost: read([word, named("maximum", number)], (state, [word]) => find(state, word), {
    lane: "conditions",
    condition: ([word, maximum]) => [word, -1, maximum],
    decide: (state, [word, maximum]) => entryMeets(state, word, ({ value }) => numberIn(value.text) <= maximum)
  })
}

/** The operations of open records. */
const openOperations = {
  ...operations,
  has: read([word], (state, [word]) => [state.entries.has(word) ? 1 : 0] as const),
  /** Replies with the number of entries, and the version of all words. */
  size: read([], (state) => [state.entries.size, state.arranged] as const),
  words: read([], (state): ReadonlyArray<string> => [...state.entries.keys()]),
  values: read([], (state): ReadonlyArray<Cell> => Array.from(state.entries.values(), ({ value }) => value)),
  /** Sets an absent entry and replies with nothing, or replies with the existing entry. */
  setIfAbsent: change({
    parameters: [word, value],
    decide: (state, [word]) => state.entries.has(word) ? answer(...find(state, word)) : ready,
    apply: (state, [word, next], at): Found => {
      write(state, word, next, at)
      return [null, 0]
    }
  }),
  /** Sets an entry that ends with this grant. One that ended with another grant now ends with this one. */
  hold: grant({
    parameters: [word, value],
    apply: (state, [word, next], at) => {
      write(state, word, next, at)
      const entry = state.entries.get(word)!
      unbind(state, entry, at)
      entry.hold = at.index
      state.held.set(at.index, entry)
      return [at.index] as const
    }
  }),
  /** Ends a grant, and its entry with it. */
  endHold: change({
    parameters: [count],
    settles: true,
    decide: (state, [hold], at) =>
      state.held.has(hold) && at.held(hold) !== undefined ? ready : refuse("NotHeld", hold),
    apply: (state, [hold], at) => {
      remove(state, state.held.get(hold)!.word, at)
      return []
    }
  }),
  /** Removes an entry and replies with it; with nothing and 0 if it is absent. */
  remove: change({
    parameters: [word],
    decide: (state, [word]) => state.entries.has(word) ? ready : answer(null, 0),
    apply: (state, [word], at) => {
      const found = find(state, word)
      remove(state, word, at)
      return found
    }
  }),
  /** Removes the existing ones of these entries, in one step and with one change; replies with their number. */
  removeAll: change({
    parameters: [],
    rest: [word],
    decide: (state, words) => words.some((word) => state.entries.has(word)) ? ready : answer(0),
    apply: (state, words, at) => {
      const gone: Array<Argument> = []
      for (const word of words) {
        const entry = state.entries.get(word)
        if (entry === undefined) continue
        drop(state, entry, at)
        gone.push(word, null)
      }
      at.changed(gone)
      return [gone.length / 2] as const
    }
  }),
  /** Removes the entry that was inserted last, and replies with word and value; with nothing if there are no entries. */
  removeLast: change({
    parameters: [],
    decide: (state) => state.last === undefined ? answer() : ready,
    apply: (state, [], at): readonly [] | readonly [word: string, value: Cell] => {
      const { value, word } = state.last!
      remove(state, word, at)
      return [word, value]
    }
  }),
  /** Removes all entries. Watchers get one change without parts. */
  clear: change({
    parameters: [],
    decide: (state) => state.last === undefined ? answer() : ready,
    apply: (state, [], at) => {
      for (const entry of state.entries.values()) {
        at.release(entry.value)
        at.grow(-Memory.ofKey(entry.word))
        unbind(state, entry, at)
        at.wakes(entry.word, "")
      }
      at.wakes(null, "")
      state.arranged = at.index
      state.entries.clear()
      state.last = undefined
      at.changed([])
      return []
    }
  }),
  ...Scan.operations<State>(parts, 2),
  /** Waits until the entry exists, and replies with it. */
  untilHas: read([word], (state, [word]) => find(state, word), {
    lane: "conditions",
    condition: ofEntry,
    decide: (state, [word]) => entryMeets(state, word, () => true)
  }),
  /** Waits until the entry is absent. */
  untilRemoved: read([word], () => [], {
    lane: "conditions",
    condition: ofEntry,
    decide: (state, [word]) => state.entries.has(word) ? wait : ready
  }),
  /** Waits until the number of entries is between a minimum and a maximum; replies with the number. */
  untilSize: read([named("minimum", count), named("maximum", count)], (state) => [state.entries.size] as const, {
    lane: "conditions",
    condition: () => [null, ""],
    decide: ({ entries }, [minimum, maximum]) => entries.size >= minimum && entries.size <= maximum ? ready : wait
  })
}

// ---------------------------------------------------------------------------------------------------------------
// kinds
// ---------------------------------------------------------------------------------------------------------------

/** `""`, or for a number `"integer"` or `"real"` and its bounds: minimum, maximum, exclusive minimum and maximum. */
const arithmeticOf = (option: string): Arithmetic | undefined => {
  const [type, ...bounds] = option.split(" ")
  const [minimum = -Infinity, maximum = Infinity, above = -Infinity, below = Infinity] = bounds.map(Number)
  return type === "" ? undefined : { integer: type === "integer", minimum, maximum, above, below }
}

const arithmetic = Format.struct<Arithmetic>({
  integer: Format.boolean,
  minimum: Format.number,
  maximum: Format.number,
  above: Format.number,
  below: Format.number
})

const kind = {
  lanes: ["conditions", "reservations"],
  pristine: (state: State) => state.last === undefined && state.reservation === undefined,
  revoke: (state: State, grant: Grant, _: unknown, at: At) => {
    Reservation.revoke(state, grant)
    Scan.revoke(state, grant, at)
    const entry = state.held.get(grant.id)
    if (entry !== undefined) remove(state, entry.word, at)
  },
  snapshot: (state: State) => [...parts(state)],
  values: function*(state: State) {
    for (const { value } of state.entries.values()) yield value
    yield* Scan.values(state)
  },
  bytes: ({ entries }: State) => {
    let bytes = 0
    for (const word of entries.keys()) bytes += Memory.ofKey(word)
    return bytes
  },
  version: 3,
  format: Format.convert(
    Format.struct({
      isOpen: Format.boolean,
      arranged: Format.count,
      arithmetic: Format.optional(arithmetic),
      entries: Format.list(Format.struct<SavedEntry>({
        word: Format.word,
        value: Format.cell,
        version: Format.count,
        arithmetic: Format.optional(arithmetic),
        hold: Format.optional(Format.count)
      })),
      ...Reservation.fields,
      ...Scan.fields
    }),
    (state: State) => ({ ...state, entries: [...state.entries.values()] }),
    ({ entries, ...saved }) => {
      const state: State = { ...saved, entries: new Map(), held: new Map(), last: undefined }
      for (const entry of entries) insert(state, entry)
      return state.entries.size === entries.length ? state : new Format.Malformed("has a word twice").at("entries")
    }
  ),
  check: (state: State, grants: ReadonlyArray<Grant>) => {
    const others = Scan.others(state, grants).filter(({ id }) => !state.held.has(id))
    const broken = [...Reservation.check(state, others), ...Scan.check(state, grants)]
    const held = [...state.entries.values()].filter(({ hold }) => hold !== undefined)
    if (
      held.length !== state.held.size ||
      held.some((entry) => state.held.get(entry.hold!) !== entry || !grants.some(({ id }) => id === entry.hold))
    ) broken.push(`I3: ${held.length} entries end with a grant, and ${state.held.size} grants with an entry`)
    let last = state.last
    for (const entry of [...state.entries.values()].reverse()) {
      if (last !== entry) return [...broken, "I2: the links between entries are not their order"]
      last = entry.previous
    }
    return last === undefined ? broken : [...broken, "I2: a removed entry is still linked"]
  }
} as const

const make = (isOpen: boolean, arithmetic?: Arithmetic): State => ({
  entries: new Map(),
  held: new Map(),
  last: undefined,
  isOpen,
  arranged: 0,
  arithmetic,
  reservation: undefined,
  scans: new Map()
})

/** The options are the fields by name, in order; each says whether and how the field is a number. */
const closed = (options: Options, values: ReadonlyArray<Cell>): State | Refusal<"InvalidOptions"> => {
  const names = Object.keys(options)
  if (names.length === 0 || names.length !== values.length) {
    return refuse("InvalidOptions", `${names.length} fields with ${values.length} initial values`)
  }
  const state = make(false)
  for (const [i, word] of names.entries()) {
    const arithmetic = arithmeticOf(String(options[word]))
    insert(state, { word, value: values[i]!, version: 0, arithmetic, hold: undefined })
  }
  return state
}

/** The option `values` says whether and how all entries are numbers; absent: they are not. */
const open = {
  ...kind,
  operations: openOperations,
  options: {
    values: {
      name: "values",
      expected: "the kind of number that entries are",
      is: (u): u is string => u === undefined || typeof u === "string"
    } satisfies Parameter<string>
  },
  initial: ({ values = "" }: { readonly values?: string }): State => make(true, arithmeticOf(values))
}

/** The kind behind `SharedRef` and `SharedNumber`. The reservation of one of them is that of all transactions. */
export const ref = kindOf<State>()({
  ...kind,
  name: "Ref",
  // What passes goes on before the next reservation is granted.
  lanes: ["conditions", "passes", "reservations"],
  operations: { ...operations, ...Reservation.passes },
  initial: closed
})

/** The kind behind `SharedNamespace`. */
export const namespace = kindOf<State>()({ ...kind, name: "Namespace", operations, initial: closed })

/** The kind behind `SharedMap`. */
export const map = kindOf<State>()({ ...open, name: "Map" })

/** The kind behind `SharedOpenNamespace`. */
export const openNamespace = kindOf<State>()({ ...open, name: "OpenNamespace" })
