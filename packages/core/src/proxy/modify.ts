/**
 * Read-modify-write with fair progress (S-28): a compare-and-set first, and from the first conflict on a turn.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { GrantId } from "../engine/Kind.ts"
import type { Restore } from "./Remote.ts"

/** A value and the version that a compare-and-set expects. */
export interface Versioned<A> {
  readonly value: A
  readonly version: number
}

/** The calls that `modify` is made of. */
export interface Modifiable<A, E> {
  readonly get: Effect.Effect<Versioned<A>, E>
  /** Answers what is there instead, if the version has changed. The turn is 0 if there is none. */
  readonly compareAndSet: (version: number, next: A, turn: GrantId) => Effect.Effect<Versioned<A> | undefined, E>
  readonly turn: (restore: Restore) => Effect.Effect<Versioned<A> & { readonly turn: GrantId }, E>
  readonly endTurn: (turn: GrantId) => void
}

/** Replaces a value by what `f` makes of it, which is pure and may run again; answers what `f` answers. */
export const modify = <A, B, E>(
  object: Modifiable<A, E>,
  f: (current: A) => readonly [B, A]
): Effect.Effect<B, E> => {
  const attempt = (current: Versioned<A>, turn: GrantId, again: (now: Versioned<A>) => Effect.Effect<B, E>) =>
    Effect.suspend(() => {
      const [result, next] = f(current.value)
      return Effect.flatMap(
        object.compareAndSet(current.version, next, turn),
        (now) => now === undefined ? Effect.succeed(result) : again(now)
      )
    })
  const inTurn: Effect.Effect<B, E> = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(object.turn(restore), ({ turn, ...first }) => {
      const loop = (current: Versioned<A>): Effect.Effect<B, E> =>
        attempt(current, turn, (now) =>
          // Refused, though nothing has changed: the turn is over (it has a deadline), and somebody else has it.
          now.version === current.version ? inTurn : loop(now))
      return Effect.onExit(restore(loop(first)), (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit)) object.endTurn(turn)
        }))
    })
  )
  return Effect.flatMap(object.get, (first) => attempt(first, 0, () => inTurn))
}
