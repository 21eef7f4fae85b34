/**
 * Grants that end by themselves, by deadline, and by age where deadlines are equal.
 *
 * A sorted array: its first element says whether a grant is due. A new grant mostly ends after all others, and so is
 * added at the end.
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

/** The number of grants that end before this one. */
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
