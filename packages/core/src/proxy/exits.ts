/** Putting exits together without a fiber: decoding must end in the turn in which a reply is read (S-9). */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** All values in order, or the first failure. */
export const all = <A, E>(exits: Iterable<Exit.Exit<A, E>>): Exit.Exit<ReadonlyArray<A>, E> => {
  const values: Array<A> = []
  for (const exit of exits) {
    if (Exit.isFailure(exit)) return Exit.failCause(exit.cause)
    values.push(exit.value)
  }
  return Exit.succeed(values)
}

/** Two values, or the first failure. */
export const both = <A, E, B, E2>(
  left: Exit.Exit<A, E>,
  right: () => Exit.Exit<B, E2>
): Exit.Exit<readonly [A, B], E | E2> =>
  Exit.isFailure(left) ? Exit.failCause(left.cause) : Exit.map(right(), (value) => [left.value, value] as const)

/** Makes an exit when the effect runs, and goes on with its value: how a call encodes what it sends. */
export const encoded = <A, E, B, E2, R>(
  encode: () => Exit.Exit<A, E>,
  use: (value: A) => Effect.Effect<B, E2, R>
): Effect.Effect<B, E | E2, R> => Effect.suspend(() => Effect.flatMapEager(encode(), use))
