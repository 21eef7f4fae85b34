/**
 * Map: values by key, in order of first insertion. Keys are canonical text, so equal keys are equal text (S-25).
 *
 * A version is the index of the change that wrote an entry; 0 stands for an absent entry.
 */
import { answer, type At, count, kindOf, operationsOf, ready, value, valueOrNothing, word } from "../Kind.ts"
import type { Argument, Cell } from "../Value.ts"
import * as Turn from "./turn.ts"

interface Entry {
  value: Cell
  version: number
}

interface State extends Turn.Turns {
  readonly entries: Map<string, Entry>
}

/** An entry in a reply: its value and version, or nothing and 0. */
type Found = readonly [value: Cell | null, version: number]

const { change, grant, read } = operationsOf<State, "turns">()

const find = (state: State, key: string): Found => {
  const entry = state.entries.get(key)
  return entry === undefined ? [null, 0] : [entry.value, entry.version]
}

/** Sets an entry, or removes it with `null`. */
const write = (state: State, key: string, next: Cell | null, at: At): void => {
  const entry = state.entries.get(key)
  if (next === null && entry === undefined) return
  const previous = entry?.value
  if (next === null) state.entries.delete(key)
  else {
    at.retain(next)
    // In place where it can be: an entry that is written often stays where it is in memory.
    if (entry === undefined) state.entries.set(key, { value: next, version: at.index })
    else {
      entry.value = next
      entry.version = at.index
    }
  }
  if (previous !== undefined) at.release(previous)
  at.changed([key, next])
}

const flat = (state: State): ReadonlyArray<Argument> =>
  [...state.entries].flatMap(([key, entry]): ReadonlyArray<Argument> => [key, entry.value])

const operations = {
  get: read([word], (state, [key]) => find(state, key)),
  has: read([word], (state, [key]) => [state.entries.has(key) ? 1 : 0] as const),
  size: read([], (state) => [state.entries.size] as const),
  /** Key and value of every entry, of one instant. */
  entries: read([], flat),
  set: change({
    parameters: [word, value],
    apply: (state, [key, next], at) => {
      write(state, key, next, at)
      return []
    }
  }),
  /** Replies with the value that is there, or with nothing when the given one was set. */
  setIfAbsent: change({
    parameters: [word, value],
    decide: (state, [key]) => state.entries.has(key) ? answer(...find(state, key)) : ready,
    apply: (state, [key, next], at): Found => {
      write(state, key, next, at)
      return [null, 0]
    }
  }),
  /** Replies with what was removed, or nothing. */
  remove: change({
    parameters: [word],
    decide: (state, [key]) => state.entries.has(key) ? ready : answer(null, 0),
    apply: (state, [key], at) => {
      const found = find(state, key)
      write(state, key, null, at)
      return found
    }
  }),
  clear: change({
    parameters: [],
    decide: (state) => state.entries.size > 0 ? ready : answer(),
    apply: (state, [], at) => {
      for (const key of state.entries.keys()) write(state, key, null, at)
      return []
    }
  }),
  /** Key, expected version (0: absent), new value or nothing, turn or 0. Replies 1, or 0 with the current entry. */
  compareAndSet: change({
    parameters: [word, count, valueOrNothing, count],
    decide: (state, [key, version, , turn], at) =>
      Turn.mustYield(state, turn, at) || find(state, key)[1] !== version ? answer(0, ...find(state, key)) : ready,
    apply: (state, [key, , next, turn], at): readonly [done: number, ...Found] => {
      write(state, key, next, at)
      Turn.end(state, turn, at)
      return [1, null, 0]
    }
  }),
  /** Waits for its turn at this map; replies with the turn, and the entry's value and version. */
  turn: grant({
    parameters: [word],
    lane: "turns",
    decide: Turn.decideTurn,
    apply: (state, [key], at) => [Turn.begin(state, at), ...find(state, key)] as const
  }),
  endTurn: Turn.endTurn
}

/** The kind behind `SharedMap`. */
export const map = kindOf<State>()({
  name: "Map",
  lanes: ["turns"],
  options: {},
  operations,
  initial: () => ({ entries: new Map(), turn: undefined }),
  pristine: (state) => state.entries.size === 0 && state.turn === undefined,
  revoke: Turn.revoke,
  snapshot: flat,
  values: (state) => [...state.entries.values()].map((entry) => entry.value),
  describe: (state) => ({ entries: [...state.entries], turn: state.turn ?? null }),
  check: Turn.check
})
