/**
 * Conditions: the index of the calls that wait for an entry, so that a change tries only those that it may satisfy.
 *
 * An operation that waits for a condition names it: an entry, and the text that the entry must have, or the number that it
 * must reach, or no text if that is not all. A change names the entries that it has written, with their texts. The index
 * has no part in what is decided, so it is not saved.
 */
import * as Sorted from "./sorted.ts"

/**
 * An entry, or nothing for the entries as a whole; and the text that is waited for, or `""`, or a number that the entry
 * must reach from below (1) or from above (-1).
 */
export type Condition =
  | readonly [entry: string | null, text: string]
  | readonly [entry: string | null, side: Side, bound: number]

/** Which numbers reach a bound: larger ones, or smaller ones. */
type Side = 1 | -1

/** The places that wait for one bound. */
interface Bound<Place> {
  /** The bound, or its negative if smaller numbers reach it: so those up to a key are reached. */
  readonly key: number
  readonly places: Set<Place>
}

/** What waits for one entry, in order of arrival where the condition is equal. */
interface Entry<Place> {
  readonly texts: Map<string, Set<Place>>
  /** By key. */
  readonly bounds: Readonly<Record<Side, Array<Bound<Place>>>>
}

/** The index of one object. */
export interface Conditions<Place> {
  readonly places: Map<Condition[0], Entry<Place>>
  /** What the changes of this step may satisfy. Empty between steps. */
  readonly woken: Set<ReadonlySet<Place>>
}

/** An object. Most never have a call that waits for a condition: they have no index. */
interface Conditional<Place> {
  conditions: Conditions<Place> | undefined
}

/** Adds a place that waits for a condition. */
export const add = <Place>(object: Conditional<Place>, place: Place, condition: Condition): void => {
  const { places } = object.conditions ??= { places: new Map(), woken: new Set() }
  let entry = places.get(condition[0])
  if (entry === undefined) places.set(condition[0], entry = { texts: new Map(), bounds: { [1]: [], [-1]: [] } })
  placesOf(entry, condition).add(place)
}

/** Removes a place that was added. */
export const remove = <Place>({ conditions }: Conditional<Place>, place: Place, condition: Condition): void => {
  const { places } = conditions!
  const entry = places.get(condition[0])!
  const equal = placesOf(entry, condition)
  equal.delete(place)
  if (equal.size > 0) return
  if (condition.length === 2) entry.texts.delete(condition[1])
  else {
    const bounds = entry.bounds[condition[1]]
    bounds.splice(positionOf(bounds, condition[1] * condition[2]), 1)
  }
  if (entry.texts.size + entry.bounds[1].length + entry.bounds[-1].length === 0) places.delete(condition[0])
}

/** The places that wait for a condition of an entry. */
const placesOf = <Place>({ bounds, texts }: Entry<Place>, condition: Condition): Set<Place> => {
  if (condition.length === 2) {
    const known = texts.get(condition[1])
    if (known !== undefined) return known
    const places = new Set<Place>()
    texts.set(condition[1], places)
    return places
  }
  const [, side, bound] = condition
  const key = side * bound
  const position = positionOf(bounds[side], key)
  const known = bounds[side][position]
  if (known?.key === key) return known.places
  const places = new Set<Place>()
  bounds[side].splice(position, 0, { key, places })
  return places
}

/** The number of bounds with smaller keys. */
const positionOf = (bounds: ReadonlyArray<Bound<unknown>>, key: number): number =>
  Sorted.positionOf(bounds, (bound) => bound.key < key)

/** An entry has been written, with a text, or removed: the places that wait for it are to be tried. */
export const wake = <Place>({ conditions }: Conditional<Place>, entry: Condition[0], text: string): void => {
  if (conditions === undefined || conditions.places.size === 0) return
  const waiting = conditions.places.get(entry)
  if (waiting === undefined) return
  const { bounds, texts } = waiting
  const equal = text === "" ? undefined : texts.get(text)
  if (equal !== undefined) conditions.woken.add(equal)
  const others = texts.get("")
  if (others !== undefined) conditions.woken.add(others)
  if (bounds[1].length + bounds[-1].length === 0) return
  const number = numberIn(text)
  wakeBounds(conditions, bounds[1], number)
  wakeBounds(conditions, bounds[-1], -number)
}

const wakeBounds = <Place>(
  { woken }: Conditions<Place>,
  bounds: ReadonlyArray<Bound<Place>>,
  reached: number
): void => {
  for (let i = 0; i < bounds.length && bounds[i]!.key <= reached; i++) woken.add(bounds[i]!.places)
}

/** The number that a text of JSON is; NaN for others. Numbers that are not finite are texts in JSON. */
export const numberIn = (text: string | undefined): number =>
  text === undefined || text === "" ? NaN : Number(text.startsWith("\"") ? text.slice(1, -1) : text)

/** Takes the places that are to be tried, as they are now. */
export const take = <Place>({ conditions }: Conditional<Place>): ReadonlyArray<Place> => {
  if (conditions === undefined || conditions.woken.size === 0) return none
  const places = [...conditions.woken].flatMap((equal) => [...equal])
  conditions.woken.clear()
  return places
}

/** Puts places back that were taken and not tried. */
export const wakeAgain = <Place>({ conditions }: Conditional<Place>, places: ReadonlyArray<Place>): void => {
  conditions!.woken.add(new Set(places))
}

const none: ReadonlyArray<never> = []
