/**
 * Barrier: parties that wait for each other, generation after generation (S-15).
 *
 * An arrival is a change: it counts at once. A generation passes in the step in which its last party arrives, and breaks
 * in the step in which one of its waiters is withdrawn. At the end of that step none of its parties waits. So a
 * generation needs no number: a waiter parked at or before `passedAt` passes, and one parked at or before `brokenAt` is
 * refused.
 *
 * I2: fewer than all parties have arrived.
 */
import * as Format from "../Format.ts"
import { kindOf } from "../Kind.ts"
import {
  type At,
  type GrantId,
  operationsOf,
  ready,
  type Refusal,
  refuse,
  wait,
  type Withdrawal,
  withdrawals
} from "../Operation.ts"
import { count, positive } from "../Parameter.ts"

/** The client that broke the barrier, and the reason. */
interface Break {
  readonly name: string
  readonly pid: number
  readonly why: BreakReason
}

/** The reasons for which a barrier breaks. */
export type BreakReason = Withdrawal | "aborted" | "reset" | "a party failed"

interface State {
  readonly parties: number
  /** The number of parties of this generation that wait. */
  arrived: number
  passedAt: number
  /** The place of the next party that passes. */
  place: number
  brokenAt: number
  lastBreak: Break | undefined
  isBroken: boolean
  /** Parties whose death breaks the barrier, whether they wait or not. */
  readonly registered: Set<GrantId>
}

const { change, grant, read } = operationsOf<State, "waiting">()

const broken = ({ lastBreak }: State): Refusal<"BarrierBroken"> => {
  const { name, pid, why } = lastBreak!
  return refuse("BarrierBroken", name, pid, why)
}

/** Refuses all waiters. */
const turnAway = (state: State, why: BreakReason, { client: { name, pid }, index }: At): void => {
  state.arrived = 0
  state.brokenAt = index
  state.lastBreak = { name, pid, why }
}

/** Breaks the barrier, unless it is broken: the first reason stays. */
const breakIt = (state: State, why: BreakReason, at: At): void => {
  if (state.isBroken) return
  turnAway(state, why, at)
  state.isBroken = true
}

const operations = {
  /** Waits for all parties. Replies with the place of the caller in the order of arrival, from 0. */
  await: change({
    parameters: [],
    lane: "waiting",
    decide: (state, _, { since }) => {
      if (since === undefined) return state.isBroken ? broken(state) : wait
      return since <= state.passedAt ? ready : since <= state.brokenAt ? broken(state) : wait
    },
    enter: (state, _, at) => {
      if (++state.arrived < state.parties) return
      state.passedAt = at.index
      state.arrived = 0
      state.place = 0
    },
    // A generation that has passed or was refused does not need this party any more.
    withdraw: (state, _, reason, at) => {
      if (at.since! > state.passedAt && at.since! > state.brokenAt) breakIt(state, reason, at)
    },
    apply: (state) => [state.place++] as const
  }),
  /** Registers a party whose death breaks the barrier. */
  register: grant({
    parameters: [],
    decide: ({ parties, registered }) => registered.size < parties ? ready : refuse("BarrierFull", parties),
    apply: (state, _, at) => {
      state.registered.add(at.index)
      return [at.index] as const
    }
  }),
  /** Ends a registration; 1: the party failed, which breaks the barrier. */
  leave: change({
    parameters: [count, count],
    settles: true,
    decide: (_, [party], at) => at.held(party) === undefined ? refuse("NotHeld", party) : ready,
    apply: (state, [party, hasFailed], at) => {
      at.settle(party)
      state.registered.delete(party)
      if (hasFailed === 1) breakIt(state, "a party failed", at)
      return []
    }
  }),
  /** Breaks the barrier. */
  abort: change({
    parameters: [],
    apply: (state, _, at) => {
      breakIt(state, "aborted", at)
      return []
    }
  }),
  /** Repairs the barrier; all waiters are refused. */
  reset: change({
    parameters: [],
    apply: (state, _, at) => {
      turnAway(state, "reset", at)
      state.isBroken = false
      return []
    }
  }),
  /** Replies with the numbers of parties, of waiting and of registered ones, and with 1 if the barrier is broken. */
  status: read(
    [],
    ({ arrived, isBroken, parties, registered }) => [parties, arrived, registered.size, isBroken ? 1 : 0] as const
  )
}

/** The kind behind `SharedBarrier`. */
export const barrier = kindOf<State>()({
  name: "Barrier",
  lanes: ["waiting"],
  operations,
  options: { parties: positive },
  initial: ({ parties }) => ({
    parties,
    arrived: 0,
    passedAt: 0,
    place: 0,
    brokenAt: 0,
    lastBreak: undefined,
    isBroken: false,
    registered: new Set()
  }),
  pristine: ({ isBroken }) => !isBroken,
  revoke: (state, { id }, reason, at) => {
    state.registered.delete(id)
    // A registration that was cancelled on its way never reached its party.
    if (reason === "session ended") breakIt(state, reason, at)
  },
  values: () => [],
  version: 1,
  format: Format.struct({
    parties: Format.count,
    arrived: Format.count,
    passedAt: Format.count,
    place: Format.count,
    brokenAt: Format.count,
    lastBreak: Format.optional(Format.struct<Break>({
      name: Format.word,
      pid: Format.finite,
      why: Format.literal(...withdrawals, "aborted", "reset", "a party failed")
    })),
    isBroken: Format.boolean,
    registered: Format.set(Format.count)
  }),
  check: ({ arrived, brokenAt, isBroken, lastBreak, parties, registered }, grants) => {
    const broken: Array<string> = []
    if (arrived >= parties) broken.push(`I2: ${arrived} of ${parties} parties wait`)
    if (grants.length !== registered.size || grants.some(({ id }) => !registered.has(id))) {
      broken.push(`I2: parties ${[...registered]} are registered by grants ${grants.map(({ id }) => id)}`)
    }
    if ((isBroken || brokenAt > 0) && lastBreak === undefined) broken.push("I2: nobody has broken it, and it is broken")
    return broken
  }
})
