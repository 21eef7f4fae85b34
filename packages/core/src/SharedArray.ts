/**
 * An array of numbers between processes: Python's `Array`, kept by the manager. Its type and length are fixed; every
 * method is one step of the manager.
 *
 * Indexes count from 0, and below 0 from the end: -1 is the last element. A number that the type cannot hold is refused
 * with `OutOfBounds`, never cut: a fraction or one out of range for integers, and for all types what JSON has no form
 * for, `NaN` and the infinities. Numbers are rounded to `float32` if that is the type.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
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

/** The typed array of a type of elements. */
export type TypedArrayOf<T extends ElementType> = ReturnType<typeof types[T]["from"]>

/** An array of numbers between processes. */
export interface SharedArray<T extends ElementType> extends Shared.Shared {
  readonly length: Effect.Effect<number, ManagerError>
  readonly get: (index: number) => Effect.Effect<number, IndexOutOfRange | ManagerError>
  /** All elements, of one instant. */
  readonly toArray: Effect.Effect<TypedArrayOf<T>, ManagerError>
  /** The elements from `start` to before `end`, of one instant. Default `end`: to the end. */
  readonly slice: (start: number, end?: number) => Effect.Effect<TypedArrayOf<T>, ManagerError>
  readonly set: (index: number, value: number) => Effect.Effect<void, IndexOutOfRange | OutOfBounds | ManagerError>
  /** Sets the elements from an index on, in one step: all of them, or none if there is no room or one does not fit. */
  readonly setSlice: (
    index: number,
    values: Iterable<number>
  ) => Effect.Effect<void, IndexOutOfRange | OutOfBounds | ManagerError>
  /** Sets all elements from `start` to before `end` to one number. Default: all there are. */
  readonly fill: (value: number, start?: number, end?: number) => Effect.Effect<void, OutOfBounds | ManagerError>
  /** Adds to an element and answers the sum: atomic, nothing is lost. */
  readonly add: (index: number, by: number) => Effect.Effect<number, IndexOutOfRange | OutOfBounds | ManagerError>
  /** Adds to each element from an index on, in one step, and answers the sums. */
  readonly addSlice: (
    index: number,
    by: Iterable<number>
  ) => Effect.Effect<TypedArrayOf<T>, IndexOutOfRange | OutOfBounds | ManagerError>
  /**
   * Replaces an element by what `f` makes of it, and answers what `f` answers. `f` is pure and may run again (S-28).
   *
   * **Fairness** From its first conflict on an updater waits for a reservation of the array, first come first served.
   * **Cancellation** Interruptible at any point; then the element was replaced once or not at all. **On disconnect**
   * `ManagerError`, whose reason says which.
   */
  readonly modifyAt: <B>(
    index: number,
    f: (current: number) => readonly [B, number]
  ) => Effect.Effect<B, IndexOutOfRange | OutOfBounds | ManagerError>
}

/** What an array is made with. */
export interface Options<T extends ElementType> {
  readonly type: T
  /** How many elements there are, now and always: at most 16,777,216. */
  readonly length: number
  /** The first elements, as many. Default all 0. Whoever opens the name first sets them (S-27). */
  readonly initial?: Iterable<number> | undefined
}

const kind = "Array"

type ArrayRemote = Remote<typeof array>

const facade = <T extends ElementType>(type: T): Shared.Facade<SharedArray<T>, typeof array, T> => ({
  kind,
  values: { fingerprint: type, codecs: Effect.succeed(type) },
  proxy
})

const creation = <T extends ElementType>(
  { initial, length, type }: Options<T>
): Shared.Creation<typeof array, T> => ({
  options: { type, length },
  initial: () => Exit.succeed(initial === undefined ? [] : [cell(JSON.stringify([...initial]))])
})

/** Names an array as a service: `class Sums extends SharedArray.Service<Sums>()("app/Sums", { type: "float64", length: 8 }) {}`. */
export const Service =
  <Self>() => <const Id extends string, const T extends ElementType>(id: Id, options: Options<T>) =>
    Shared.service<Self>()(id, facade(options.type), creation(options))

/** Opens an array by name, or makes one without a name, for the life of the scope. */
export const make = <const T extends ElementType>(
  options: Options<T> & { readonly name?: string | undefined }
): Effect.Effect<SharedArray<T>, Shared.OpenError, Manager | Scope.Scope> =>
  Shared.open(facade(options.type), creation(options), options.name)

/** An array's handle as a value. */
export const schema = <const T extends ElementType>(type: T): Shared.HandleSchema<SharedArray<T>, never> =>
  Shared.handleSchema(facade(type))

/** Whether something is an array. */
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

/** Numbers that all have a form in JSON: the manager is sent no others. */
const finite = (remote: ArrayRemote, values: Iterable<number>): Exit.Exit<ReadonlyArray<number>, OutOfBounds> => {
  const numbers = [...values]
  const wrong = numbers.find((n) => !Number.isFinite(n))
  return wrong === undefined ? Exit.succeed(numbers) : Exit.fail(unfit(remote.target.description, wrong))
}

const proxy = <T extends ElementType>(remote: ArrayRemote, type: T): SharedArray<T> => {
  // Which of the constructors it is, the compiler does not follow.
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
  const slice = (start: number, end = theEnd) => remote.call("slice", [start, whole(end)], typed)

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
        () => remote.call("fill", [value, start, whole(end)], () => Exit.void, whenUnfit)
      ),
    add: (index, by) => Effect.map(add(index, [by]), ([sum]) => sum!),
    addSlice: add,
    modifyAt: (index, f) => modify(entry(remote, index), f)
  }
}

const get = (remote: ArrayRemote, index: number) =>
  remote.call("get", [index], ([element]) => Exit.succeed(element), whenOutOfRange(index))

/** The element at an index, to be modified: a compare-and-set compares the element itself. */
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
