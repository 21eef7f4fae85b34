/**
 * Producers: a queue that ends when the processes that fill it have ended.
 *
 * A producer is a grant, so the manager knows when one has died. Each has a *place*, which it leaves by saying that it is
 * done. A producer that is lost does not say so: its place stays empty until another producer takes it. When no producer
 * is left, the queue is closed; it has *failed* if a place is empty, because items are missing.
 */
import * as Format from "../Format.ts"
import { type At, type Grant, type GrantId, operationsOf, ready, refuse, type Withdrawal } from "../Operation.ts"
import { count } from "../Parameter.ts"

/** The part of a queue's state that producers need. */
export interface Produced {
  /** 1: it has the place of a lost producer. */
  readonly producers: Map<GrantId, number>
  /** Places of lost producers. */
  emptyPlaces: number
  /** Whether a producer has said that it is done. */
  hasFinished: boolean
  closed: boolean
  /** Closed because the last producer has ended, and items of lost ones are missing. */
  failed: boolean
}

/** Of a new queue. */
export const none = (): Produced => ({
  producers: new Map(),
  emptyPlaces: 0,
  hasFinished: false,
  closed: false,
  failed: false
})

/** Closes the queue if producers have been there and none is left. */
const closeAfterLast = (state: Produced): void => {
  if (state.closed || state.producers.size > 0 || !state.hasFinished && state.emptyPlaces === 0) return
  state.closed = true
  state.failed = state.emptyPlaces > 0
}

const { change, grant } = operationsOf<Produced>()

export const operations = {
  /** Makes a producer, in the place of a lost one if there is any. */
  addProducer: grant({
    parameters: [],
    decide: ({ closed }) => closed ? refuse("QueueClosed") : ready,
    apply: (state, [], at) => {
      const replaces = Math.min(1, state.emptyPlaces)
      state.emptyPlaces -= replaces
      state.producers.set(at.index, replaces)
      return [at.index] as const
    }
  }),
  /** Ends a producer. 1: it is lost, as if its session had ended. */
  endProducer: change({
    parameters: [count, count],
    settles: true,
    decide: ({ producers }, [producer], at) =>
      producers.has(producer) && at.held(producer) !== undefined ? ready : refuse("NotHeld", producer),
    apply: (state, [producer, isLost], at: At) => {
      at.settle(producer)
      state.producers.delete(producer)
      if (isLost === 1) state.emptyPlaces++
      else state.hasFinished = true
      closeAfterLast(state)
      return []
    }
  })
}

/** For `Kind.revoke`. A producer whose call is cancelled has not been there. */
export const revoke = (state: Produced, { id }: Grant, reason: Withdrawal): void => {
  const replaces = state.producers.get(id)!
  state.producers.delete(id)
  state.emptyPlaces += reason === "cancelled" ? replaces : 1
  closeAfterLast(state)
}

/** For `Kind.format`. */
export const fields = {
  producers: Format.map(Format.count, Format.count),
  emptyPlaces: Format.count,
  hasFinished: Format.boolean,
  closed: Format.boolean,
  failed: Format.boolean
}

/** For `Kind.check`: the grants that are not producers. */
export const others = ({ producers }: Produced, grants: ReadonlyArray<Grant>): ReadonlyArray<Grant> =>
  grants.filter(({ id }) => !producers.has(id))

/** For `Kind.check`. */
export const check = ({ producers }: Produced, grants: ReadonlyArray<Grant>): ReadonlyArray<string> => {
  const granted = new Set(grants.map(({ id }) => id))
  return [...producers.keys()].filter((id) => !granted.has(id)).map((id) => `I3: producer ${id} has no grant`)
}
