/**
 * Lock: at most one hold at a time, first come first served (S-20).
 *
 * I2: held or free, never both. I5: the hold is the grant of the operation that got it; its id is the fencing token.
 *
 * A condition is a lock with a wait set (`condition.ts`): it uses these operations and this part of the state.
 */
import * as Format from "../Format.ts"
import { kindOf } from "../Kind.ts"
import {
  answer,
  type At,
  type Grant,
  type GrantId,
  operationsOf,
  ready,
  refuse,
  wait,
  type Withdrawal
} from "../Operation.ts"
import { count } from "../Parameter.ts"
import * as HoldFor from "./holdFor.ts"

/** The state of a lock, or the part of a state that makes an object a lock. */
export interface Locked extends HoldFor.Bounded {
  holder: GrantId | undefined
  /** A holder's session or time ended, and no holder has released the lock since: the guarded state may be half written. */
  abandoned: boolean
}

const { change, grant, read } = operationsOf<Locked, "waiting">()

/** A free lock. */
export const free = ({ holdFor }: Partial<HoldFor.Bounded> = {}): Locked => ({
  holder: undefined,
  abandoned: false,
  holdFor
})

/** Grants the lock to the operation that is being applied. */
export const hold = (state: Locked, at: At): readonly [token: GrantId, abandoned: number] => {
  HoldFor.bound(state, at)
  state.holder = at.index
  return [at.index, state.abandoned ? 1 : 0]
}

/** Frees the lock for its holder, so that it is not abandoned. */
export const release = (state: Locked, token: GrantId, at: At): void => {
  at.settle(token)
  state.holder = undefined
  state.abandoned = false
}

/** Refuses unless the caller holds the token, its first argument. */
export const ifHeld = (_: Locked, [token]: readonly [GrantId, ...ReadonlyArray<unknown>], at: At) =>
  at.held(token) === undefined ? refuse("NotHeld", token) : ready

/** A call that wants the lock waits for its holder. */
export const isBlocked = ({ holder }: Locked, _: unknown, isStuck: (hold: GrantId) => boolean): boolean =>
  holder !== undefined && isStuck(holder)

export const operations = {
  /** Waits until the lock is free and takes it. Replies with the token, and 1 if the lock was abandoned. */
  acquire: grant({
    parameters: [],
    lane: "waiting",
    guarded: false,
    decide: (state) => state.holder === undefined ? ready : wait,
    isBlocked,
    apply: (state, [], at) => hold(state, at)
  }),
  /** Takes the lock if it is free and no call waits for it. */
  tryAcquire: grant({
    parameters: [],
    lane: "waiting",
    guarded: false,
    decide: (state, [], at) => state.holder === undefined && !at.isBehind ? ready : answer(),
    apply: (state, [], at) => hold(state, at)
  }),
  release: change({
    parameters: [count],
    settles: true,
    decide: ifHeld,
    apply: (state, [token], at) => {
      release(state, token, at)
      return []
    }
  }),
  isHeld: read([], (state) => [state.holder === undefined ? 0 : 1] as const)
}

/** For `Kind.revoke`. */
export const revoke = (state: Locked, _: Grant, reason: Withdrawal): void => {
  state.holder = undefined
  if (reason !== "cancelled") state.abandoned = true
}

/** For `Kind.pristine`. */
export const pristine = (state: Locked): boolean => state.holder === undefined && !state.abandoned

/** For `Kind.format`. */
export const fields = { holder: Format.optional(Format.count), abandoned: Format.boolean, ...HoldFor.fields }

/** For `Kind.check`. */
export const check = (state: Locked, grants: ReadonlyArray<Grant>): ReadonlyArray<string> =>
  grants.length > 1 || grants[0]?.id !== state.holder
    ? [`I5: the lock is held by ${state.holder} and granted to ${grants.map(({ id }) => id)}`]
    : []

/** The kind behind `SharedLock`. */
export const lock = kindOf<Locked>()({
  name: "Lock",
  lanes: ["waiting"],
  options: HoldFor.options,
  operations,
  fences: true,
  initial: free,
  pristine,
  revoke,
  values: () => [],
  version: 2,
  format: Format.struct(fields),
  check
})
