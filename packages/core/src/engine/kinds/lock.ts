/**
 * Lock: at most one hold at a time, first come first served (S-20).
 *
 * I2: held or free, never both. I5: the hold is the grant of the acquire that got it; its id is the fencing token.
 */
import { answer, count, type GrantId, kindOf, operationsOf, ready, refuse, wait } from "../Kind.ts"

interface State {
  holder: GrantId | undefined
  /** A holder's session ended while it held, and nobody has released since: what the lock guards may be half done. */
  abandoned: boolean
}

const { change, grant, read } = operationsOf<State, "waiting">()

const hold = (state: State, at: { readonly index: number }): readonly [token: GrantId, abandoned: number] => {
  state.holder = at.index
  return [at.index, state.abandoned ? 1 : 0]
}

const operations = {
  /** Waits until the lock is free and takes it. */
  acquire: grant({
    parameters: [],
    lane: "waiting",
    guarded: false,
    decide: (state) => state.holder === undefined ? ready : wait,
    apply: (state, [], at) => hold(state, at)
  }),
  /** Takes the lock if it is free and nobody waits for it. */
  tryAcquire: grant({
    parameters: [],
    guarded: false,
    decide: (state) => state.holder === undefined ? ready : answer(),
    apply: (state, [], at) => hold(state, at)
  }),
  release: change({
    parameters: [count],
    settles: true,
    decide: (_, [token], at) => at.held(token) === undefined ? refuse("NotHeld", token) : ready,
    apply: (state, [token], at) => {
      at.settle(token)
      state.holder = undefined
      state.abandoned = false
      return []
    }
  }),
  isHeld: read([], (state) => [state.holder === undefined ? 0 : 1] as const)
}

/** The kind behind `SharedLock`. */
export const lock = kindOf<State>()({
  name: "Lock",
  lanes: ["waiting"],
  options: {},
  operations,
  fences: true,
  initial: () => ({ holder: undefined, abandoned: false }),
  pristine: (state) => state.holder === undefined && !state.abandoned,
  revoke: (state, _, reason) => {
    state.holder = undefined
    if (reason === "session ended") state.abandoned = true
  },
  values: () => [],
  describe: (state) => ({ holder: state.holder ?? null, abandoned: state.abandoned }),
  check: (state, grants) =>
    grants.length > 1 || grants[0]?.id !== state.holder
      ? [`I5: the lock is held by ${state.holder} and granted to ${grants.map(({ id }) => id)}`]
      : []
})
