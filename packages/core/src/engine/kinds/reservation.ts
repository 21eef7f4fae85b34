/**
 * Turns: fair progress for read-modify-write (S-28).
 *
 * An updater first tries a plain compare-and-set. From its first conflict on it waits for its turn at the object;
 * while a turn is held, only its holder's compare-and-set can succeed, so each of n contending updaters needs a
 * constant number of calls. A plain `set` is not held up by a turn: the holder then conflicts once more and goes on.
 */
import { type At, type Grant, type GrantId, operationsOf, ready, refuse, wait } from "../Operation.ts"
import { count, word } from "../Parameter.ts"

/** How long an updater may think, in milliseconds, before its turn passes on: its process may be frozen. */
const turnMilliseconds = 5_000

/** The part of a kind's state that turns need. */
export interface Turns {
  turn: GrantId | undefined
}

const { change } = operationsOf<Turns>()

/** Whether a compare-and-set with this turn (0: none) must yield to somebody else's; the turn of another session is. */
export const mustYield = (state: Turns, turn: GrantId, at: At): boolean =>
  state.turn !== undefined && (state.turn !== turn || at.held(turn) === undefined)

/** The decision of an operation that waits for its turn. */
export const decideTurn = (state: Turns) => state.turn === undefined ? ready : wait

/** Begins the turn of the operation being applied. */
export const begin = (state: Turns, at: At): GrantId => {
  at.expire(turnMilliseconds)
  state.turn = at.index
  return at.index
}

/** Ends a turn after a successful compare-and-set. */
export const end = (state: Turns, turn: GrantId, at: At): void => {
  if (state.turn !== turn) return
  at.settle(turn)
  state.turn = undefined
}

/** Gives a turn back unused; a reason may follow. */
export const endTurn = change({
  parameters: [count],
  rest: [word],
  settles: true,
  decide: (state, [turn], at) => state.turn !== turn || at.held(turn) === undefined ? refuse("NotHeld", turn) : ready,
  apply: (state, [turn], at) => {
    end(state, turn, at)
    return []
  }
})

/** For `Kind.revoke`. */
export const revoke = (state: Turns, { id }: Grant): void => {
  if (state.turn === id) state.turn = undefined
}

/** For `Kind.check`, of the grants that are not of something else. */
export const check = (state: Turns, grants: ReadonlyArray<{ readonly id: GrantId }>): ReadonlyArray<string> =>
  grants.length > 1 || grants[0]?.id !== state.turn
    ? [`I5: the turn is ${state.turn} and granted to ${grants.map(({ id }) => id)}`]
    : []
