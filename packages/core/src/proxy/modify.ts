/**
 * Read-modify-write with fair progress (S-28): first a compare-and-set, after the first conflict a reservation.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Kind } from "../engine/Kind.ts"
import type { operations } from "../engine/kinds/reservation.ts"
import type { GrantId } from "../engine/Operation.ts"
import type { Argument } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import type { Refusals, Remote } from "./Remote.ts"

/** The value of an entry, and what a compare-and-set compares: the version or the stored value. */
export interface Current<A, Expected> {
  readonly value: A
  readonly expected: Expected
}

/** A kind whose entries can be modified. */
type Modifiable<
  Key extends Argument,
  Expected extends Argument,
  Next extends Argument,
  Found extends ReadonlyArray<Argument>
> =
  // oxlint-disable-next-line typescript/no-explicit-any -- of whatever state: only its operations matter
  Kind<any, ReturnType<typeof operations<any, Key, Expected, Next, Found, string, string>>>

/** One entry of an object, and the codec of its values. */
export interface Entry<
  A,
  E,
  Key extends Argument,
  Expected extends Argument,
  Next extends Argument,
  Found extends ReadonlyArray<Argument>
> {
  readonly remote: Remote<Modifiable<Key, Expected, Next, Found>>
  readonly key: Key
  readonly get: Effect.Effect<Current<A, Expected>, E>
  readonly encode: (value: A) => Exit.Exit<Next, E>
  readonly decode: (found: Found) => Exit.Exit<Current<A, Expected>, E>
  readonly isSame: (left: Expected, right: Expected) => boolean
  readonly refusals?: Refusals<string, E>
}

/** Replaces an entry's value by what `f` makes of it and returns what `f` returns. `f` is pure and may run again. */
export const modify = <
  A,
  B,
  E,
  Key extends Argument,
  Expected extends Argument,
  Next extends Argument,
  Found extends ReadonlyArray<Argument>
>(
  { decode, encode, get, isSame, key, refusals, remote }: Entry<A, E, Key, Expected, Next, Found>,
  f: (current: A) => readonly [B, A]
): Effect.Effect<B, E | ManagerError> => {
  type Now = Current<A, Expected>
  type Result = Effect.Effect<B, E | ManagerError>
  const isConflict = (reply: readonly [] | Found): reply is Found => reply.length > 0
  const attempt = ({ expected, value }: Now, reservation: GrantId, again: (now: Now) => Result): Result =>
    Effect.suspend(() => {
      const [result, next] = f(value)
      const replaced = Effect.flatMapEager(encode(next), (next) =>
        remote.call(
          "compareAndSet",
          [key, expected, next, reservation],
          (reply) => isConflict(reply) ? decode(reply) : Exit.succeed(undefined),
          refusals
        ))
      return Effect.flatMap(replaced, (now) => now === undefined ? Effect.succeed(result) : again(now))
    })
  const reserved: Result = Effect.uninterruptibleMask((restore) => {
    const reserving = remote.callOwned(
      restore,
      "reserve",
      [key],
      ([reservation, ...found]) => Exit.map(decode(found), (now) => ({ now, reservation })),
      refusals,
      "endReservation"
    )
    return Effect.flatMap(reserving, ({ now, reservation }) => {
      const loop = (current: Now): Result =>
        attempt(current, reservation, (now) =>
          // A conflict with an unchanged entry: the reservation has passed its deadline, and another updater has one.
          isSame(now.expected, current.expected) ? reserved : loop(now))
      return Effect.onExit(restore(loop(now)), (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit)) remote.tell("endReservation", [reservation])
        }))
    })
  })
  return Effect.flatMap(get, (now) => attempt(now, 0, () => reserved))
}
