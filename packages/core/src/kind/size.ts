/**
 * The bytes of a state, about, as `engine/Memory.ts` counts them. A new state is measured by what has changed: what it has
 * in common with the state before is not visited.
 */

/** What an object, a list or a number takes, and an entry besides its value. */
const partBytes = 16

/** The bytes of a value. Those of a `Map` or a `Set` are not visited. */
export const sizeOf = (value: unknown): number => {
  if (typeof value === "string") return partBytes + value.length
  if (typeof value !== "object" || value === null) return partBytes
  if (ArrayBuffer.isView(value)) return partBytes + value.byteLength
  let bytes = partBytes
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) bytes += sizeOf(value[i])
    return bytes
  }
  for (const key of Object.keys(value)) bytes += partBytes + key.length + sizeOf(value[key as keyof object])
  return bytes
}

/** The bytes that a value has more than the one before. */
export const growth = (next: unknown, previous: unknown): number => {
  if (next === previous) return 0
  if (Array.isArray(next) && Array.isArray(previous)) return listGrowth(next, previous)
  return isRecord(next) && isRecord(previous) ? recordGrowth(next, previous) : sizeOf(next) - sizeOf(previous)
}

const listGrowth = (next: ReadonlyArray<unknown>, previous: ReadonlyArray<unknown>): number => {
  const { end, from, shift } = changedItems(next, previous)
  let bytes = 0
  for (let i = from; i < end; i++) bytes += sizeOf(next[i])
  for (let i = from; i < end + shift; i++) bytes -= sizeOf(previous[i])
  return bytes
}

type Properties = Readonly<Record<string, unknown>>

const recordGrowth = (next: Properties, previous: Properties): number => {
  let bytes = 0
  // For small records, `for in` costs half of what `Object.keys` does.
  for (const key in next) {
    if (Object.hasOwn(previous, key)) bytes += growth(next[key], previous[key])
    else if (Object.hasOwn(next, key)) bytes += partBytes + key.length + sizeOf(next[key])
  }
  for (const key in previous) {
    if (!Object.hasOwn(next, key) && Object.hasOwn(previous, key)) {
      bytes -= partBytes + key.length + sizeOf(previous[key])
    }
  }
  return bytes
}

const isRecord = (u: unknown): u is Properties =>
  typeof u === "object" && u !== null && !Array.isArray(u) && !ArrayBuffer.isView(u)

/**
 * The items of a list that differ from those before: from `from` to `end`, where those before are from `from` to
 * `end + shift`.
 */
export const changedItems = (
  next: ReadonlyArray<unknown>,
  previous: ReadonlyArray<unknown>
): { readonly from: number; readonly end: number; readonly shift: number } => {
  const shift = previous.length - next.length
  let from = 0
  let end = next.length
  while (from < end && from < previous.length && next[from] === previous[from]) from++
  while (end > from && end + shift > from && next[end - 1] === previous[end + shift - 1]) end--
  return { from, end, shift }
}
