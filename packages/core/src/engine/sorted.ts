/** Sorted arrays: where an element stands, or would stand. */

/** The number of elements of a sorted array that are before a place: those that come first, and no other, are. */
export const positionOf = <A>(sorted: ReadonlyArray<A>, isBefore: (element: A) => boolean): number => {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(sorted[middle]!)) low = middle + 1
    else high = middle
  }
  return low
}
