/**
 * Conditions: the index of the calls that wait for an entry, so that a change tries only those that it may satisfy.
 *
 * An operation that waits for a condition names it: an entry, and the text that the entry must have, or no text if that
 * is not all. A change names the entries that it has written, with their texts. The index has no part in what is decided,
 * so it is not saved.
 */

/** An entry, or nothing for the entries as a whole; and the text that is waited for, or `""`. */
export type Condition = readonly [entry: string | null, text: string]

/** The index of one object. */
export interface Conditions<Place> {
  /** What waits, by entry and text, in order of arrival. */
  readonly places: Map<Condition[0], Map<string, Set<Place>>>
  /** What the changes of this step may satisfy. Empty between steps. */
  readonly woken: Set<ReadonlySet<Place>>
}

/** An object. Most never have a call that waits for a condition: they have no index. */
interface Conditional<Place> {
  conditions: Conditions<Place> | undefined
}

/** Adds a place that waits for a condition. */
export const add = <Place>(object: Conditional<Place>, place: Place, [entry, text]: Condition): void => {
  const { places } = object.conditions ??= { places: new Map(), woken: new Set() }
  let texts = places.get(entry)
  if (texts === undefined) places.set(entry, texts = new Map())
  const equal = texts.get(text)
  if (equal === undefined) texts.set(text, new Set([place]))
  else equal.add(place)
}

/** Removes a place that was added. */
export const remove = <Place>({ conditions }: Conditional<Place>, place: Place, [entry, text]: Condition): void => {
  const { places } = conditions!
  const texts = places.get(entry)!
  const equal = texts.get(text)!
  equal.delete(place)
  if (equal.size === 0) texts.delete(text)
  if (texts.size === 0) places.delete(entry)
}

/** An entry has been written, with a text, or removed: the places that wait for it are to be tried. */
export const wake = <Place>({ conditions }: Conditional<Place>, entry: Condition[0], text: string): void => {
  if (conditions === undefined || conditions.places.size === 0) return
  const texts = conditions.places.get(entry)
  if (texts === undefined) return
  const equal = text === "" ? undefined : texts.get(text)
  if (equal !== undefined) conditions.woken.add(equal)
  const others = texts.get("")
  if (others !== undefined) conditions.woken.add(others)
}

/** Takes the places that are to be tried, as they are now. */
export const take = <Place>({ conditions }: Conditional<Place>): ReadonlyArray<Place> => {
  if (conditions === undefined || conditions.woken.size === 0) return none
  const places = [...conditions.woken].flatMap((equal) => [...equal])
  conditions.woken.clear()
  return places
}

const none: ReadonlyArray<never> = []
