/**
 * Reservations: fair progress for read-modify-write (S-28).
 *
 * An updater first tries a plain compare-and-set. From its first conflict on it waits for a reservation of the object.
 * While an object is reserved, only its holder's compare-and-set succeeds, so each of n contending updaters needs a
 * constant number of calls. A plain `set` ignores reservations: the holder then conflicts once more and goes on.
 */
import * as Format from "../Format.ts"
import {
  answer,
  type At,
  type Grant,
  type GrantId,
  type Instant,
  operationsOf,
  ready,
  type Refusal,
  refuse,
  wait
} from "../Operation.ts"
import { count, type Parameter, word } from "../Parameter.ts"
import type { Argument } from "../Value.ts"

/** How long a reservation lasts at most, in milliseconds: the process of its holder may be frozen. */
const holdMilliseconds = 5_000

/** The part of a kind's state that reservations need. */
export interface Reservable {
  reservation: GrantId | undefined
}

/** How a kind reads and replaces its entries. */
export interface Entries<
  State,
  Key extends Argument,
  Expected extends Argument,
  Next extends Argument,
  Found extends ReadonlyArray<Argument>,
  Absent extends string,
  Unfit extends string
> {
  /** Names an entry. */
  readonly key: Parameter<Key>
  /** What the updater expects of the entry: its version, or its value. */
  readonly expected: Parameter<Expected>
  readonly next: Parameter<Next>
  /** Refuses a key without an entry. */
  readonly absent: (state: State, key: Key) => Refusal<Absent> | undefined
  /** Refuses what the entry cannot become. */
  readonly unfit?: (state: State, key: Key, next: Next) => Refusal<Unfit> | undefined
  readonly find: (state: State, key: Key) => Found
  readonly isExpected: (state: State, key: Key, expected: Expected) => boolean
  readonly replace: (state: State, key: Key, next: Next, at: At) => void
}

/** Whether a compare-and-set with this reservation (0: none) must yield to another one, or to one of another session. */
const mustYield = (state: Reservable, reservation: GrantId, at: At): boolean =>
  state.reservation !== undefined && (state.reservation !== reservation || at.held(reservation) === undefined)

const end = (state: Reservable, reservation: GrantId, at: At): void => {
  if (state.reservation !== reservation) return
  at.settle(reservation)
  state.reservation = undefined
}

/** The operations of an updater, over the entries of a kind. */
export const operations = <
  State extends Reservable,
  Key extends Argument,
  Expected extends Argument,
  Next extends Argument,
  Found extends ReadonlyArray<Argument>,
  Absent extends string,
  Unfit extends string = never
>(entries: Entries<State, Key, Expected, Next, Found, Absent, Unfit>) => {
  const { absent, expected, find, isExpected, key, next, replace, unfit } = entries
  const { change, grant } = operationsOf<State, "reservations">()
  return {
    /**
     * Key, expected entry, new entry, reservation or 0. Replies with nothing when the entry was replaced, with the
     * current entry when it is not the expected one or another updater has a reservation.
     */
    compareAndSet: change({
      parameters: [key, expected, next, count],
      decide: (state, [key, expected, next, reservation], at): Instant<Absent | Unfit> =>
        absent(state, key) ?? unfit?.(state, key, next) ??
          (mustYield(state, reservation, at) || !isExpected(state, key, expected)
            ? answer(...find(state, key))
            : ready),
      apply: (state, [key, , next, reservation], at): readonly [] | Found => {
        replace(state, key, next, at)
        end(state, reservation, at)
        return []
      }
    }),
    /** Waits until no other updater has a reservation; replies with a reservation and the entry of a key. */
    reserve: grant({
      parameters: [key],
      lane: "reservations",
      decide: (state, [key]) => absent(state, key) ?? (state.reservation === undefined ? ready : wait),
      apply: (state, [key], at): readonly [reservation: GrantId, ...found: Found] => {
        at.expire(holdMilliseconds)
        state.reservation = at.index
        return [at.index, ...find(state, key)]
      }
    }),
    /** Ends a reservation without an update; a reason may follow. */
    endReservation: change({
      parameters: [count],
      rest: [word],
      settles: true,
      decide: (state, [reservation], at) =>
        state.reservation !== reservation || at.held(reservation) === undefined
          ? refuse("NotHeld", reservation)
          : ready,
      apply: (state, [reservation], at) => {
        end(state, reservation, at)
        return []
      }
    })
  }
}

const passing = operationsOf<Reservable, "passes">()

/** For those that have no entry to replace, but must not come between a holder and its updates. */
export const passes = {
  /** Waits while there is a reservation other than this one; 0 is none. */
  pass: passing.read([count], () => [], {
    lane: "passes",
    decide: (state, [reservation], at) => mustYield(state, reservation, at) ? wait : ready
  })
}

/** For `Kind.format`. */
export const fields = { reservation: Format.optional(Format.count) }

/** For `Kind.revoke`. */
export const revoke = (state: Reservable, { id }: Grant): void => {
  if (state.reservation === id) state.reservation = undefined
}

/** For `Kind.check`: of the grants of reservations. */
export const check = (state: Reservable, grants: ReadonlyArray<{ readonly id: GrantId }>): ReadonlyArray<string> =>
  grants.length > 1 || grants[0]?.id !== state.reservation
    ? [`I5: the reservation is ${state.reservation} and granted to ${grants.map(({ id }) => id)}`]
    : []
