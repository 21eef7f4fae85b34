/**
 * One field of a record object (`engine/kinds/record.ts`): a `SharedRef` is one, a `SharedNamespace` has several.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import * as Stream from "effect/Stream"
import type { namespace, ref } from "../engine/kinds/record.ts"
import type { Cell } from "../engine/Value.ts"
import { InvalidRequest, ManagerError } from "../ManagerError.ts"
import { type Modifiable, modify } from "./modify.ts"
import type { Refusals, Remote } from "./Remote.ts"
import type { ValueCodec } from "./ValueCodec.ts"

/** A record object as a client knows it: a `Ref` or a `Namespace`. */
export type RecordRemote = Remote<typeof ref | typeof namespace>

/** One value that processes share, read and written as a whole. */
export interface Field<in out A> {
  readonly get: Effect.Effect<A, ManagerError>
  readonly set: (value: A) => Effect.Effect<void, ManagerError>
  /**
   * Replaces the value by what `f` makes of it and answers what `f` answers. `f` is pure and may run again (S-28).
   *
   * **Fairness** From its first conflict on an updater waits for its turn, first come first served: n contending
   * updaters need a constant number of calls each. **Cancellation** Interruptible at any point; then the value was
   * replaced once or not at all. **On disconnect** `ManagerError`, whose reason says which.
   */
  readonly modify: <B>(f: (current: A) => readonly [B, A]) => Effect.Effect<B, ManagerError>
  /** As `modify`, and answers the new value. */
  readonly update: (f: (current: A) => A) => Effect.Effect<A, ManagerError>
  /**
   * The value now, then every value it gets, in order. A reader that falls behind skips to the current value; it
   * never misses the last one (S-29).
   *
   * **On disconnect** The stream fails with `ManagerError`.
   */
  readonly changes: Stream.Stream<A, ManagerError>
  /**
   * Waits until the value satisfies the predicate, and answers it. Runs on the changes, without polling; sees levels,
   * not edges: a value that came and went between two looks may be missed.
   *
   * **Cancellation** Interruptible. **On disconnect** `ManagerError`.
   */
  readonly until: {
    <B extends A>(is: Predicate.Refinement<A, B>): Effect.Effect<B, ManagerError>
    (is: Predicate.Predicate<A>): Effect.Effect<A, ManagerError>
  }
}

/** What the manager can do with a number itself (S-25). */
export interface Arithmetic {
  /** Adds 1 and answers the sum: atomic, nothing is lost. */
  readonly increment: Effect.Effect<number, OutOfBounds | ManagerError>
  /** Adds and answers the sum. */
  readonly add: (by: number) => Effect.Effect<number, OutOfBounds | ManagerError>
}

/** A field whose schema is exactly a number, in type and on the wire. */
export interface NumberField extends Field<number>, Arithmetic {}

/** The field of a schema: with arithmetic if it is a number's. */
export type FieldOf<S extends Schema.Constraint> = [S["Type"], number] extends [number, S["Type"]]
  ? [S["Encoded"], number] extends [number, S["Encoded"]] ? NumberField : Field<S["Type"]>
  : Field<S["Type"]>

/** The number would not match its schema, or the type of its array. It is unchanged. */
export class OutOfBounds extends Schema.TaggedError<OutOfBounds>()("OutOfBounds", {
  object: Schema.String,
  result: Schema.Number
}) {
  override get message(): string {
    return `${this.object} would become ${this.result}, which is out of its bounds. It is unchanged`
  }
}

/**
 * The calls of one field of a record. A field whose schema is no number has `add` and `increment` too; its type does
 * not show them, and the manager refuses them.
 */
export const make = <A>(remote: RecordRemote, name: string, codec: ValueCodec<A>): Field<A> & Arithmetic => {
  const changes = notified(remote, name, codec)
  const parts = modifiable(remote, name, codec)
  const add = (by: number) => remote.call("add", [name, by], ([sum]) => Exit.succeed(sum), whenRefused)
  return {
    get: remote.call("get", [name], ([cell]) => remote.decode("get", codec, cell!)),
    set: (value) => remote.encoded("set", codec, value, (cell) => remote.call("set", [name, cell], () => Exit.void)),
    modify: (f) => modify(parts, f),
    update: (f) =>
      modify(parts, (current) => {
        const next = f(current)
        return [next, next]
      }),
    changes,
    until: (is: Predicate.Predicate<A>) => first(Stream.filter(changes, is)),
    increment: add(1),
    add
  }
}

/** What a number option means is said in `engine/kinds/record.ts`. */
export const arithmeticOption = (schema: Schema.Top): string => {
  const { representation } = SchemaRepresentation.toRepresentation(schema.ast)
  if (representation._tag !== "Number") return ""
  let type = "real"
  const bounds = { minimum: -Infinity, maximum: Infinity, exclusiveMinimum: -Infinity, exclusiveMaximum: Infinity }
  for (const check of representation.checks) {
    const known = check._tag === "Filter" ? check.representation : undefined
    if (known?.id === "effect/schema/isInt") type = "integer"
    else if (known?.id !== "effect/schema/isFinite") {
      // A check that the manager cannot make itself: it must not add behind its back.
      const payload = Object.entries((known?.payload ?? { unknown: 0 }) as Record<string, unknown>)
      if (!payload.every(([key, value]) => key in bounds && typeof value === "number")) return ""
      Object.assign(bounds, known!.payload)
    }
  }
  return [type, ...Object.values(bounds)].join(" ")
}

/** The first element of a stream that fails rather than ends. */
export const first = <A, E>(stream: Stream.Stream<A, E>): Effect.Effect<A, E> =>
  Effect.map(Stream.runHead(stream), Option.getOrThrow)

// internals

const whenRefused: Refusals<"OutOfBounds" | "NotANumber", OutOfBounds | ManagerError> = {
  OutOfBounds: ([result], object) => new OutOfBounds({ object, result: Number(result) }),
  NotANumber: (_, object) => {
    const issue = "its schema is not a plain number, or has checks that the manager cannot make"
    return new ManagerError({ reason: new InvalidRequest({ object, operation: "add", issue }) })
  }
}

const modifiable = <A>(remote: RecordRemote, name: string, codec: ValueCodec<A>): Modifiable<A, ManagerError> => {
  const versioned = (cell: Cell | null | undefined, version: number | undefined) =>
    Exit.map(remote.decode("modify", codec, cell!), (value) => ({ value, version: version! }))
  return {
    get: remote.call("get", [name], ([cell, version]) => versioned(cell, version)),
    compareAndSet: (version, next, turn) =>
      remote.encoded(
        "modify",
        codec,
        next,
        (cell) =>
          remote.call(
            "compareAndSet",
            [name, version, cell, turn],
            ([done, current, version]) => done === 1 ? Exit.succeed(undefined) : versioned(current, version)
          )
      ),
    turn: (restore) =>
      remote.callOwned(
        restore,
        "turn",
        [name],
        ([turn, cell, version]) => Exit.map(versioned(cell, version), (current) => ({ ...current, turn })),
        undefined,
        "endTurn"
      ),
    endTurn: (turn) => remote.tell("endTurn", [turn])
  }
}

/** The values of one field among the notifications of its record. */
const notified = <A>(remote: RecordRemote, name: string, codec: ValueCodec<A>): Stream.Stream<A, ManagerError> =>
  remote.notifications.pipe(
    Stream.filter((notification) => notification.parts.includes(name)),
    Stream.mapEffect(({ parts }) => remote.decode("changes", codec, parts[parts.indexOf(name) + 1] as Cell))
  )
