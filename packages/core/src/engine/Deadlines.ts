/**
 * Grants that end by themselves, in the order in which they do: by deadline, and of equal ones by age.
 *
 * A sorted array. Whether one is due is seen at its first element; and a grant mostly ends later than all before it, so
 * it joins at the end.
 */
import type { Grant } from "./Operation.ts"

/** Adds a grant that has a deadline. */
export const add = (deadlines: Array<Grant>, grant: Grant): void => {
  deadlines.splice(positionOf(deadlines, grant), 0, grant)
}

/** Removes a grant that was added. */
export const remove = (deadlines: Array<Grant>, grant: Grant): void => {
  deadlines.splice(positionOf(deadlines, grant), 1)
}

/** Whether a grant ends before another. */
export const isBefore = (a: Grant, b: Grant): boolean =>
  a.deadline! < b.deadline! || (a.deadline === b.deadline && a.id < b.id)

/** How many grants end before this one. */
const positionOf = (deadlines: ReadonlyArray<Grant>, grant: Grant): number => {
  let low = 0
  let high = deadlines.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(deadlines[middle]!, grant)) low = middle + 1
    else high = middle
  }
  return low
}
