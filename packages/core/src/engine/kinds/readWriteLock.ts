/**
 * Read-write lock: any number of readers, or one writer, first come first served.
 *
 * I5: while a writer has it nobody else has. A hold is the grant of the operation that got it; its id is the fencing token.
 */
import * as Format from "../Format.ts"
import { kindOf } from "../Kind.ts"
import { answer, type At, type GrantId, operationsOf, ready, refuse, wait } from "../Operation.ts"
import { count, oneOf } from "../Parameter.ts"
import * as HoldFor from "./holdFor.ts"

type Mode = "read" | "write"

interface State extends HoldFor.Bounded {
  readonly holds: Map<GrantId, Mode>
}

const { change, grant, read } = operationsOf<State, "waiting">()

/** A writer is alone. */
const isWriting = ({ holds }: State): boolean => holds.values().next().value === "write"

const isFree = (state: State, mode: Mode): boolean => mode === "read" ? !isWriting(state) : state.holds.size === 0

const hold = (state: State, mode: Mode, at: At): readonly [token: GrantId] => {
  HoldFor.bound(state, at)
  state.holds.set(at.index, mode)
  return [at.index]
}

const mode = oneOf("read", "write")

const operations = {
  /** Waits until it can be read, or written, and no earlier call waits. Replies with the token. */
  acquire: grant({
    parameters: [mode],
    // In one lane: a later reader does not overtake a writer.
    lane: "waiting",
    guarded: false,
    decide: (state, [mode]) => isFree(state, mode) ? ready : wait,
    isBlocked: ({ holds }, [mode], isStuck) =>
      [...holds].some(([id, held]) => (mode === "write" || held === "write") && isStuck(id)),
    apply: (state, [mode], at) => hold(state, mode, at)
  }),
  /** As `acquire` if it does not have to wait; else replies with nothing. */
  tryAcquire: grant({
    parameters: [mode],
    lane: "waiting",
    guarded: false,
    decide: (state, [mode], at) => at.isBehind || !isFree(state, mode) ? answer() : ready,
    apply: (state, [mode], at) => hold(state, mode, at)
  }),
  release: change({
    parameters: [count],
    settles: true,
    decide: (_, [token], at) => at.held(token) === undefined ? refuse("NotHeld", token) : ready,
    apply: ({ holds }, [token], at) => {
      at.settle(token)
      holds.delete(token)
      return []
    }
  }),
  /** Replies with the number of readers, and 1 if there is a writer, else 0. */
  status: read([], (state) => isWriting(state) ? [0, 1] as const : [state.holds.size, 0] as const)
}

/** The kind behind `SharedReadWriteLock`. */
export const readWriteLock = kindOf<State>()({
  name: "ReadWriteLock",
  lanes: ["waiting"],
  options: HoldFor.options,
  operations,
  fences: true,
  initial: ({ holdFor }) => ({ holds: new Map(), holdFor }),
  pristine: ({ holds }) => holds.size === 0,
  revoke: ({ holds }, { id }) => void holds.delete(id),
  values: () => [],
  version: 1,
  format: Format.struct({ holds: Format.map(Format.count, Format.literal<Mode>("read", "write")), ...HoldFor.fields }),
  check: ({ holds }, grants) => {
    const broken: Array<string> = []
    if (holds.size > 1 && [...holds.values()].includes("write")) broken.push(`I5: a writer among ${holds.size} holds`)
    if (grants.length !== holds.size || grants.some(({ id }) => !holds.has(id))) {
      broken.push(`I5: it is held by ${[...holds.keys()]} and granted to ${grants.map(({ id }) => id)}`)
    }
    return broken
  }
})
