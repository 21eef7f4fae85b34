/**
 * One entry of a record object (`engine/kinds/record.ts`), read and written as a ref: a `SharedRef` is one, a
 * `SharedNamespace` has several, a `SharedOpenNamespace` has them by name.
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import type * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { map, openNamespace } from "../engine/kinds/record.ts"
import type { Found } from "../engine/kinds/recordEntries.ts"
import type { Cell } from "../engine/Value.ts"
import { InvalidRequest, ManagerError } from "../ManagerError.ts"
import { all, encoded } from "./exits.ts"
import { first } from "./first.ts"
import { type Entry, modify } from "./modify.ts"
import { type EntryCodec, optionalCodec, type RecordRemote } from "./record.ts"
import { type TransactionField, transactionField } from "./recordTransaction.ts"
import type { Refusals, Remote } from "./Remote.ts"
import type { ValueCodec } from "./ValueCodec.ts"
import { whileOpen } from "./whileOpen.ts"

/** One value that processes share, read and written as a whole. */
export interface Field<in out A> {
  /** Returns the value. One call, which never waits for other processes. */
  readonly get: Effect.Effect<A, ManagerError>
  /**
   * Replaces the value. One call, which never waits for other processes. **Cancellation** An interrupted `set` took
   * effect once or not at all. **On disconnect** `ManagerError`, whose reason says which.
   */
  readonly set: (value: A) => Effect.Effect<void, ManagerError>
  /**
   * Replaces the value by the second part of `f`'s result, and returns the first part. `f` must be pure: it runs again
   * after a conflict, that is when the value has changed since `f` was given it (S-28).
   *
   * **Fairness** After its first conflict an updater waits, in FIFO order, for a reservation of the whole object. So n
   * contending updaters need a constant number of calls each. **Cancellation** Interruptible at any point; the value
   * was then replaced once or not at all. **On disconnect** `ManagerError`, whose reason says which.
   */
  readonly modify: <B>(f: (current: A) => readonly [B, A]) => Effect.Effect<B, ManagerError>
  /**
   * Replaces the value by `f`'s result, and returns the new value. **Fairness**, **Cancellation** and **On disconnect**
   * as `modify`.
   */
  readonly update: (f: (current: A) => A) => Effect.Effect<A, ManagerError>
  /**
   * Streams the current value, then every later value, in order. A reader that falls behind skips to the current value,
   * and never misses the last one (S-29).
   *
   * **Fairness** A slow reader delays nobody. **Cancellation** Interruptible; the subscription ends. **On disconnect**
   * The stream fails with `ManagerError`.
   */
  readonly changes: Stream.Stream<A, ManagerError>
  /**
   * Waits until the value satisfies the predicate, and returns it. The predicate runs in this process, on `changes`,
   * without polling. It sees levels, not edges: it may miss a value that was replaced quickly. `untilEquals`, and for
   * numbers `untilAtLeast` and `untilAtMost`, cost less and miss nothing.
   *
   * **Fairness** A waiter delays nobody. **Cancellation** Interruptible; the subscription ends. **On disconnect**
   * `ManagerError`.
   */
  readonly until: {
    <B extends A>(is: Predicate.Refinement<A, B>): Effect.Effect<B, ManagerError>
    (is: Predicate.Predicate<A>): Effect.Effect<A, ManagerError>
  }
  /**
   * Waits until the value equals this one, compared by canonical encoding. The manager checks the condition after every
   * change and sends one message when it holds, so a value that exists for one change only is not missed (S-29).
   *
   * **Fairness** A waiter delays nobody; all that wait for the same condition are released in one step.
   * **Cancellation** Interruptible; the manager forgets the call. **On disconnect** `ManagerError`.
   */
  readonly untilEquals: (value: A) => Effect.Effect<void, ManagerError>
  /** The value in a transaction (`Transaction.tx`), the only place where this compiles. */
  readonly tx: TransactionField<A>
}

/** The operations on a number that the manager performs itself (S-25). */
export interface Arithmetic {
  /** Adds 1, atomically, and returns the sum. One call, which never waits for other processes. */
  readonly increment: Effect.Effect<number, OutOfBounds | ManagerError>
  /** Adds, atomically, and returns the sum. One call, which never waits for other processes. */
  readonly add: (by: number) => Effect.Effect<number, OutOfBounds | ManagerError>
  /**
   * Waits until the number is at least `minimum`, and returns it. **Fairness**, **Cancellation** and **On disconnect**
   * as `Field.untilEquals`.
   */
  readonly untilAtLeast: (minimum: number) => Effect.Effect<number, ManagerError>
  /**
   * Waits until the number is at most `maximum`, and returns it. **Fairness**, **Cancellation** and **On disconnect**
   * as `Field.untilEquals`.
   */
  readonly untilAtMost: (maximum: number) => Effect.Effect<number, ManagerError>
}

/** A field whose schema is exactly a number, in type and on the wire. */
export interface NumberField extends Field<number>, Arithmetic {}

/** Whether a schema's type and encoding are exactly this type. `any` is not. */
export type IsExactly<S extends Schema.Constraint, T> = IsAny<S["Type"] | S["Encoded"]> extends true ? false
  : [S["Type"], T, S["Encoded"], T] extends [T, S["Type"], T, S["Encoded"]] ? true
  : false

type IsAny<A> = 0 extends 1 & A ? true : false

/** One of two types: the first for a schema that is exactly a number, in type and on the wire (S-25). */
export type IfNumber<S extends Schema.Constraint, Then, Else> = IsExactly<S, number> extends true ? Then : Else

/** The field of a schema: with arithmetic if it is a number's. */
export type FieldOf<S extends Schema.Constraint> = IfNumber<S, NumberField, Field<S["Type"]>>

/** The number would not match its schema, or the type of its array. Nothing was changed. */
export class OutOfBounds extends Schema.TaggedError<OutOfBounds>()("OutOfBounds", {
  object: Schema.String,
  result: Schema.Number
}) {
  override get message(): string {
    return `${this.object} would become ${this.result}, which is out of its bounds. It is unchanged`
  }
}

/**
 * The calls of one field of a closed record. A field whose schema is no number has those of numbers, too; its type does
 * not show them, and the manager refuses to add.
 */
export const make = <A>(remote: RecordRemote, name: string, codec: ValueCodec<A>): Field<A> & Arithmetic => {
  // The fields of a closed record are never absent.
  const decode = (operation: string) => (cell: Cell | null) => remote.decode(operation, codec, cell!)
  const field = entry(remote, name, {
    encode: (value: A) => remote.encodeCanonical("modify", codec, value),
    decode: decode("modify")
  })
  const changes = Stream.mapEffect(cells(remote, name), decode("changes"))
  return {
    get: remote.call("get", [name], ([cell]) => remote.decode("get", codec, cell!)),
    set: set(remote, name, codec),
    modify: (f) => modify(field, f),
    update: (f) =>
      modify(field, (current) => {
        const next = f(current)
        return [next, next]
      }),
    changes,
    until: (is: Predicate.Predicate<A>) => first(remote, Stream.filter(changes, is)),
    untilEquals: untilEquals(remote, name, codec),
    tx: transactionField(remote, name, {
      encode: (value: A) => remote.encodeCanonical("tx", codec, value),
      decode: decode("tx")
    }),
    // The type shows it only where the value is a number.
    ...arithmetic(remote, name, codec as unknown as ValueCodec<number>)
  }
}

/** The option of a field for its schema: `arithmeticOf` in `engine/kinds/record.ts` reads it. */
export const arithmeticOption = (schema: Schema.Top): string => {
  const { representation } = SchemaRepresentation.toRepresentation(schema.ast)
  if (representation._tag !== "Number") return ""
  let type = "real"
  const bounds = { minimum: -Infinity, maximum: Infinity, exclusiveMinimum: -Infinity, exclusiveMaximum: Infinity }
  for (const check of representation.checks) {
    const known = check._tag === "Filter" ? check.representation : undefined
    if (known?.id === "effect/schema/isInt") type = "integer"
    else if (known?.id !== "effect/schema/isFinite") {
      // The manager cannot make this check, so it must not add.
      const payload = Object.entries((known?.payload ?? { unknown: 0 }) as Record<string, unknown>)
      if (!payload.every(([key, value]) => key in bounds && typeof value === "number")) return ""
      Object.assign(bounds, known!.payload)
    }
  }
  return [type, ...Object.values(bounds)].join(" ")
}

// ---------------------------------------------------------------------------------------------------------------
// calls to one entry, of a closed record or an open one
// ---------------------------------------------------------------------------------------------------------------

/** An entry for `modify`: a compare-and-set compares its version. */
export const entry = <A>(
  remote: RecordRemote,
  word: string,
  { decode, encode }: EntryCodec<A>
): Entry<A, ManagerError, string, number, Cell | null, Found> => {
  const current = ([cell, version]: Found) => Exit.map(decode(cell), (value) => ({ value, expected: version }))
  return { remote, key: word, get: remote.call("get", [word], current), encode, decode: current, isSame: Object.is }
}

/** As `entry`, for an entry that may be absent. */
export const optionalEntry = <A>(
  remote: RecordRemote,
  word: string,
  codec: ValueCodec<A>
): Entry<Option.Option<A>, ManagerError, string, number, Cell | null, Found> =>
  entry(remote, word, optionalCodec(remote, "modify", codec))

/** Replaces an entry's value. */
export const set = <A>(remote: RecordRemote, word: string, codec: ValueCodec<A>): Field<A>["set"] => (value) =>
  encoded(
    () => remote.encodeCanonical("set", codec, value),
    (cell) => remote.call("set", [word, cell], () => Exit.void)
  )

/** Replaces several values in one step. */
export const setAll = <A>(
  remote: RecordRemote,
  entries: ReadonlyArray<readonly [word: string, codec: ValueCodec<A>, value: A]>
): Effect.Effect<void, ManagerError> =>
  encoded(
    () =>
      all(entries.map(([word, codec, value]) =>
        Exit.map(remote.encodeCanonical("set", codec, value), (cell) => [word, cell] as const)
      )),
    (pairs) =>
      remote.call("setAll", pairs.flat(), () => Exit.void)
  )

/** Sets an entry of an open record for the life of the scope. */
export const hold = <A>(
  remote: Remote<typeof map | typeof openNamespace>,
  word: string,
  codec: ValueCodec<A>,
  value: A
): Effect.Effect<void, ManagerError, Scope.Scope> =>
  encoded(
    () => remote.encodeCanonical("hold", codec, value),
    (cell) =>
      whileOpen(
        (restore) => remote.callOwned(restore, "hold", [word, cell], ([hold]) => Exit.succeed(hold)),
        (hold) => remote.tell("endHold", [hold])
      )
  )

/** Waits until an entry has a value. */
export const untilEquals = <A>(
  remote: RecordRemote,
  word: string,
  codec: ValueCodec<A>
): Field<A>["untilEquals"] =>
(value) =>
  encoded(
    () => remote.encodeCanonical("untilEquals", codec, value),
    (cell) => remote.call("untilEquals", [word, cell], () => Exit.void)
  )

/** The calls of an entry that is a number. */
export const arithmetic = (remote: RecordRemote, word: string, codec: ValueCodec<number>): Arithmetic => {
  const add = (by: number) => remote.call("add", [word, by], ([sum]) => Exit.succeed(sum), whenRefused)
  const number = ([cell]: readonly [Cell | null, ...ReadonlyArray<unknown>]) => remote.decode("until", codec, cell!)
  return {
    increment: add(1),
    add,
    untilAtLeast: (minimum) => remote.call("untilAtLeast", [word, minimum], number),
    untilAtMost: (maximum) => remote.call("untilAtMost", [word, maximum], number)
  }
}

/** What an entry holds, now and after each change of it; `null`: it is not there. */
export const cells = (remote: RecordRemote, word: string): Stream.Stream<Cell | null, ManagerError> =>
  remote.notifications.pipe(
    // A change without parts has removed every entry, a snapshot has all that there are.
    Stream.filter(({ event, parts }) => event !== "change" || parts.length === 0 || parts.includes(word)),
    Stream.map(({ parts }) => {
      const position = parts.lastIndexOf(word)
      return position < 0 ? null : parts[position + 1] as Cell | null
    })
  )

// internals

const whenRefused: Refusals<"OutOfBounds" | "NotANumber", OutOfBounds | ManagerError> = {
  OutOfBounds: ([result], object) => new OutOfBounds({ object, result: Number(result) }),
  NotANumber: (_, object) => {
    const issue = "its schema is not a plain number, or has checks that the manager cannot make: use update or modify"
    return new ManagerError({ reason: new InvalidRequest({ object, operation: "add", issue }) })
  }
}
