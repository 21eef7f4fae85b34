/**
 * Read-modify-write with fair progress (S-28): a compare-and-set first, and from the first conflict on a turn.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { GrantId } from "../engine/Operation.ts"
import type { Cell } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import type { RecordRemote } from "./Field.ts"
import type { Restore } from "./Remote.ts"

/** A value and what a compare-and-set expects of it: the version, or the value as it is stored. */
export interface Versioned<A, V = number> {
  readonly value: A
  readonly version: V
}

/** The calls that `modify` is made of. */
export interface Modifiable<A, E, V = number> {
  readonly get: Effect.Effect<Versioned<A, V>, E>
  /** Answers what is there instead, if the version has changed. The turn is 0 if there is none. */
  readonly compareAndSet: (version: V, next: A, turn: GrantId) => Effect.Effect<Versioned<A, V> | undefined, E>
  readonly turn: (restore: Restore) => Effect.Effect<Versioned<A, V> & { readonly turn: GrantId }, E>
  readonly endTurn: (turn: GrantId) => void
}

/** Replaces a value by what `f` makes of it, which is pure and may run again; answers what `f` answers. */
export const modify = <A, B, E, V>(
  object: Modifiable<A, E, V>,
  f: (current: A) => readonly [B, A]
): Effect.Effect<B, E> => {
  const attempt = (current: Versioned<A, V>, turn: GrantId, again: (now: Versioned<A, V>) => Effect.Effect<B, E>) =>
    Effect.suspend(() => {
      const [result, next] = f(current.value)
      return Effect.flatMap(
        object.compareAndSet(current.version, next, turn),
        (now) => now === undefined ? Effect.succeed(result) : again(now)
      )
    })
  const inTurn: Effect.Effect<B, E> = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(object.turn(restore), ({ turn, ...first }) => {
      const loop = (current: Versioned<A, V>): Effect.Effect<B, E> =>
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

/** An entry of a record as a program knows it: its value, or that it is not there. */
export interface EntryCodec<A> {
  readonly encode: (value: A) => Exit.Exit<Cell | null, ManagerError>
  readonly decode: (cell: Cell | null) => Exit.Exit<A, ManagerError>
}

/** The calls that modify an entry of a record. */
export const modifiable = <A>(
  remote: RecordRemote,
  word: string,
  codec: EntryCodec<A>
): Modifiable<A, ManagerError> => {
  const versioned = (cell: Cell | null, version: number) =>
    Exit.map(codec.decode(cell), (value) => ({ value, version }))
  return {
    get: remote.call("get", [word], ([cell, version]) => versioned(cell, version)),
    compareAndSet: (version, next, turn) =>
      Effect.flatMapEager(
        codec.encode(next),
        (cell) =>
          remote.call("compareAndSet", [word, version, cell, turn], ([done, current, version]) =>
            done === 1 ? Exit.succeed(undefined) : versioned(current, version))
      ),
    turn: (restore) =>
      remote.callOwned(
        restore,
        "turn",
        [word],
        ([turn, cell, version]) => Exit.map(versioned(cell, version), (current) => ({ ...current, turn })),
        undefined,
        "endTurn"
      ),
    endTurn: (turn) => remote.tell("endTurn", [turn])
  }
}
