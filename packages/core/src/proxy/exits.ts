/** Putting exits together without a fiber: decoding must end in the turn in which a reply is read (S-9). */
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
