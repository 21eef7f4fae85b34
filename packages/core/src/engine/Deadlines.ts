/**
 * What is due at a time: grants that end by themselves, waiting requests that are examined again, and sessions without a
 * link. By deadline, and by age where deadlines are equal.
 *
 * A sorted array: its first element says whether anything is due. A new element is mostly due after all others, and so is
 * added at the end.
 */
import type { Grant } from "./Operation.ts"
import * as Sorted from "./sorted.ts"
import type { EngineState, Parked, Session } from "./State.ts"

/** Whether one element is due before another. */
type IsBefore<A> = (a: A, b: A) => boolean

/** The order of grants. */
export const grantIsBefore: IsBefore<Grant> = (a, b) =>
  a.deadline! < b.deadline! || (a.deadline === b.deadline && a.id < b.id)

/** The order of waiting requests. */
export const parkedIsBefore: IsBefore<Parked> = (a, b) =>
  a.deadline! < b.deadline! || (a.deadline === b.deadline && a.arrival < b.arrival)

/** The order of sessions. */
export const sessionIsBefore: IsBefore<Session> = (a, b) =>
  a.deadline! < b.deadline! || (a.deadline === b.deadline && a.id < b.id)

/** The first deadline of all, if there is one. */
export const first = ({ deadlines, examinations, unlinked }: EngineState): number | undefined => {
  const first = Math.min(
    deadlines[0]?.deadline ?? Infinity,
    examinations[0]?.deadline ?? Infinity,
    unlinked[0]?.deadline ?? Infinity
  )
  return first === Infinity ? undefined : first
}

/** Takes the requests whose time is over: they have no deadline then. */
export const takeDue = (deadlines: Array<Parked>, now: number): ReadonlyArray<Parked> => {
  const left = deadlines.findIndex(({ deadline }) => deadline! > now)
  if (left === 0) return none
  const due = deadlines.splice(0, left < 0 ? deadlines.length : left)
  for (const parked of due) parked.deadline = undefined
  return due
}

const none: ReadonlyArray<Parked> = []

/** The first element whose time is over. */
export const due = <A extends { readonly deadline: number | undefined }>(
  deadlines: ReadonlyArray<A>,
  now: number
): A | undefined => deadlines.length > 0 && deadlines[0]!.deadline! <= now ? deadlines[0] : undefined

/** Adds an element that has a deadline. */
export const add = <A>(deadlines: Array<A>, element: A, isBefore: IsBefore<A>): void => {
  deadlines.splice(positionOf(deadlines, element, isBefore), 0, element)
}

/** Removes an element that was added. */
export const remove = <A>(deadlines: Array<A>, element: A, isBefore: IsBefore<A>): void => {
  deadlines.splice(positionOf(deadlines, element, isBefore), 1)
}

/** The number of elements that are due before this one. */
const positionOf = <A>(deadlines: ReadonlyArray<A>, element: A, isBefore: IsBefore<A>): number =>
  Sorted.positionOf(deadlines, (other) => isBefore(other, element))
