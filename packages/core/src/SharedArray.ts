/**
 * A shared array of numbers: Python's `Array`, kept by the manager. Its type and length are fixed, and every method is
 * one atomic step of the manager.
 *
 * Indexes count from 0; a negative index counts from the end, so -1 is the last element. `OutOfBounds` refuses a number
 * that the element type cannot represent, where a typed array would truncate it: a fraction or an out-of-range number
 * for an integer type, and `NaN` and the infinities for every type, because JSON cannot write them. `float32` elements
 * are rounded to that precision.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { array, ElementType } from "./engine/kinds/array.ts"
import { cell } from "./engine/Value.ts"
import type { ManagerError } from "./ManagerError.ts"
import { type IndexOutOfRange, theEnd, whenOutOfRange, whole } from "./proxy/bounds.ts"
import { encoded } from "./proxy/exits.ts"
import { OutOfBounds } from "./proxy/Field.ts"
import type { Manager } from "./proxy/Manager.ts"
import { type Entry, modify } from "./proxy/modify.ts"
import type { Refusals, Remote } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"

export { IndexOutOfRange } from "./proxy/bounds.ts"
export { OutOfBounds } from "./proxy/Field.ts"

const types = {
  float64: Float64Array,
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array
} satisfies Record<ElementType, unknown>

export type { ElementType } from "./engine/kinds/array.ts"

/** The JavaScript typed array of an element type. */
export type TypedArrayOf<T extends ElementType> = ReturnType<typeof types[T]["from"]>

/**
 * A shared array of numbers.
 *
 * Every method but `modifyAt` is one call, which never waits for other processes. **Cancellation** An interrupted write
 * took effect once or not at all. **On disconnect** `ManagerError`, whose reason says whether it took effect. A call
 * that fails has changed nothing.
 */
export interface SharedArray<T extends ElementType> extends Shared.Shared {
  /** The fixed number of elements. */
  readonly length: Effect.Effect<number, ManagerError>
  /** Returns the element at an index. */
  readonly get: (index: number) => Effect.Effect<number, IndexOutOfRange | ManagerError>
  /** Returns all elements as one atomic copy, in one reply. Too many for a frame fail with `LimitExceeded`. */
  readonly toArray: Effect.Effect<TypedArrayOf<T>, ManagerError>
  /**
   * Returns the elements from `start` up to, but not including, `end`, as one atomic copy. Default `end`: the length.
   */
  readonly slice: (start: number, end?: number) => Effect.Effect<TypedArrayOf<T>, ManagerError>
  /** Replaces the element at an index. */
  readonly set: (index: number, value: number) => Effect.Effect<void, IndexOutOfRange | OutOfBounds | ManagerError>
  /** Replaces the elements from an index on, in one step: all, or none if one is out of range or out of bounds. */
  readonly setSlice: (
    index: number,
    values: Iterable<number>
  ) => Effect.Effect<void, IndexOutOfRange | OutOfBounds | ManagerError>
  /** Sets the elements from `start` up to, but not including, `end` to one number. Default: all elements. */
  readonly fill: (value: number, start?: number, end?: number) => Effect.Effect<void, OutOfBounds | ManagerError>
  /** Adds to an element, atomically, and returns the sum. */
  readonly add: (index: number, by: number) => Effect.Effect<number, IndexOutOfRange | OutOfBounds | ManagerError>
  /** Adds to each element from an index on, in one step, and returns the sums. */
  readonly addSlice: (
    index: number,
    by: Iterable<number>
  ) => Effect.Effect<TypedArrayOf<T>, IndexOutOfRange | OutOfBounds | ManagerError>
  /**
   * Replaces an element by the second part of `f`'s result, and returns the first part. `f` must be pure: it runs again
   * after a conflict, that is when the element has changed since `f` was given it (S-28).
   *
   * **Fairness** After its first conflict an updater waits, in FIFO order, for a reservation of the whole array.
   * **Cancellation** Interruptible at any point; the element was then replaced once or not at all. **On disconnect**
   * `ManagerError`, whose reason says which.
   */
  readonly modifyAt: <B>(
    index: number,
    f: (current: number) => readonly [B, number]
  ) => Effect.Effect<B, IndexOutOfRange | OutOfBounds | ManagerError>
}

/** Options of an array. All programs that open a name must agree on `type` and `length`. */
export interface Options<T extends ElementType> {
  readonly type: T
  /** The fixed number of elements, at most 16,777,216. */
  readonly length: number
  /** The elements of a new array, exactly `length` of them. Default: all 0. Ignored when the name exists (S-27). */
  readonly initial?: Iterable<number> | undefined
}

const kind = "Array"

type ArrayRemote = Remote<typeof array>

const facade = <T extends ElementType>(type: T): Shared.Facade<SharedArray<T>, typeof array, T> => ({
  kind,
  values: { schemas: [Schema.Literal(type)], codecs: Effect.succeed(type) },
  proxy
})

const creation = <T extends ElementType>(
  { initial, length, type }: Options<T>
): Shared.Creation<typeof array, T> => ({
  options: { type, length },
  initial: () => Exit.succeed(initial === undefined ? [] : [cell(JSON.stringify([...initial]))])
})

/**
 * Declares a named array as a service:
 * `class Sums extends SharedArray.Service<Sums>()("app/Sums", { type: "float64", length: 8 }) {}`.
 */
export const Service =
  <Self>() => <const Id extends string, const T extends ElementType>(id: Id, options: Options<T>) =>
    Shared.service<Self>()(id, facade(options.type), creation(options))

/** Opens a named array, or makes an unnamed one, for the life of the scope. */
export const make = <const T extends ElementType>(
  options: Options<T> & { readonly name?: string | undefined }
): Effect.Effect<SharedArray<T>, Shared.OpenError, Manager | Scope.Scope> =>
  Shared.open(facade(options.type), creation(options), options.name)

/** The schema of an array's handle, for arrays inside payloads, items and values. Takes the options of `make`. */
export const schema = <const T extends ElementType>(
  options: Shared.SchemaOptions<Options<T>, "type">
): Shared.HandleSchema<SharedArray<T>, never> => Shared.handleSchema(facade(options.type))

/** Whether a value is a `SharedArray`. */
export const isSharedArray = (u: unknown): u is SharedArray<ElementType> => Shared.isShared(kind)(u)

// internals

const unfit = (array: string, result: number) => new OutOfBounds({ object: `an element of ${array}`, result })

const whenUnfit: Refusals<"OutOfBounds", OutOfBounds> = {
  OutOfBounds: ([result], array) => unfit(array, Number(result))
}

const whenRefused = (
  index: number
): Refusals<"IndexOutOfRange" | "OutOfBounds", IndexOutOfRange | OutOfBounds> => ({
  ...whenOutOfRange(index),
  ...whenUnfit
})

/** Refuses numbers that JSON cannot write, before anything is sent. */
const finite = (remote: ArrayRemote, values: Iterable<number>): Exit.Exit<ReadonlyArray<number>, OutOfBounds> => {
  const numbers = [...values]
  const wrong = numbers.find((n) => !Number.isFinite(n))
  return wrong === undefined ? Exit.succeed(numbers) : Exit.fail(unfit(remote.target.description, wrong))
}

const proxy = <T extends ElementType>(remote: ArrayRemote, type: T): SharedArray<T> => {
  // The compiler does not relate the constructor to T.
  const typed = (numbers: ReadonlyArray<number>) => Exit.succeed(types[type].from(numbers) as TypedArrayOf<T>)
  const set = (index: number, values: Iterable<number>) =>
    encoded(
      () => finite(remote, values),
      (numbers) => remote.call("set", [index, ...numbers], () => Exit.void, whenRefused(index))
    )
  const add = (index: number, by: Iterable<number>) =>
    encoded(
      () => finite(remote, by),
      (numbers) => remote.call("add", [index, ...numbers], typed, whenRefused(index))
    )
  const slice = (start: number, end = theEnd) => remote.call("slice", [whole(start), whole(end)], typed)

  return {
    [Shared.TypeId]: remote,
    length: remote.call("size", [], ([size]) => Exit.succeed(size)),
    get: (index) => get(remote, index),
    toArray: slice(0),
    slice,
    set: (index, value) => set(index, [value]),
    setSlice: set,
    fill: (value, start = 0, end = theEnd) =>
      encoded(
        () => finite(remote, [value]),
        () => remote.call("fill", [value, whole(start), whole(end)], () => Exit.void, whenUnfit)
      ),
    add: (index, by) => Effect.map(add(index, [by]), ([sum]) => sum!),
    addSlice: add,
    modifyAt: (index, f) => modify(entry(remote, index), f)
  }
}

const get = (remote: ArrayRemote, index: number) =>
  remote.call("get", [index], ([element]) => Exit.succeed(element), whenOutOfRange(index))

/** The element at an index, for `modify`: a compare-and-set compares the element itself. */
const entry = (
  remote: ArrayRemote,
  index: number
): Entry<number, IndexOutOfRange | OutOfBounds | ManagerError, number, number, number, readonly [element: number]> => {
  const current = (element: number) => ({ value: element, expected: element })
  return {
    remote,
    key: index,
    get: Effect.map(get(remote, index), current),
    encode: (value) => Exit.map(finite(remote, [value]), () => value),
    decode: ([element]) => Exit.succeed(current(element)),
    isSame: Object.is,
    refusals: whenRefused(index)
  }
}
