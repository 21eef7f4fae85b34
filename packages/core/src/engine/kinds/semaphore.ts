/**
 * Semaphore: a number of permits that several callers hold at a time, FIFO.
 *
 * I2: free permits + held permits = all permits. A hold is the grant of the operation that acquired it; the grant's id
 * is the fencing token.
 */
import * as Format from "../Format.ts"
import { kindOf } from "../Kind.ts"
import { answer, type At, type GrantId, operationsOf, ready, refuse, wait } from "../Operation.ts"
import { count, named } from "../Parameter.ts"
import * as HoldFor from "./holdFor.ts"

interface State extends HoldFor.Bounded {
  readonly permits: number
  free: number
  readonly holds: Map<GrantId, number>
}

const { change, grant, read } = operationsOf<State, "waiting">()

const take = (state: State, permits: number, at: At): readonly [token: GrantId] => {
  HoldFor.bound(state, at)
  state.free -= permits
  state.holds.set(at.index, permits)
  return [at.index]
}

const giveBack = (state: State, id: GrantId): void => {
  state.free += state.holds.get(id)!
  state.holds.delete(id)
}

const permits = named("permits", count)

const operations = {
  /** Waits until that many permits are free, and takes them. Replies with the token. */
  acquire: grant({
    parameters: [permits],
    lane: "waiting",
    guarded: false,
    decide: (state, [permits]) =>
      permits > state.permits ? refuse("TooManyPermits", state.permits) : permits > state.free ? wait : ready,
    isBlocked: ({ free, holds }, [permits], isStuck) => {
      let most = free
      for (const [id, held] of holds) {
        if (most >= permits) return false
        if (!isStuck(id)) most += held
      }
      return most < permits
    },
    apply: (state, [permits], at) => take(state, permits, at)
  }),
  /** Takes that many permits if they are free and no call waits for permits; else replies with nothing. */
  tryAcquire: grant({
    parameters: [permits],
    // It never waits there, but `isBehind` is about this lane: a small request does not overtake a large one (S-13).
    lane: "waiting",
    guarded: false,
    decide: (state, [permits], at) =>
      permits > state.permits
        ? refuse("TooManyPermits", state.permits)
        : at.isBehind || permits > state.free
        ? answer()
        : ready,
    apply: (state, [permits], at) => take(state, permits, at)
  }),
  release: change({
    parameters: [count],
    settles: true,
    decide: (_, [token], at) => at.held(token) === undefined ? refuse("NotHeld", token) : ready,
    apply: (state, [token], at) => {
      at.settle(token)
      giveBack(state, token)
      return []
    }
  }),
  /** Replies with the number of free permits. */
  available: read([], (state) => [state.free] as const)
}

/** The kind behind `SharedSemaphore`. */
export const semaphore = kindOf<State>()({
  name: "Semaphore",
  lanes: ["waiting"],
  options: { permits: count, ...HoldFor.options },
  operations,
  fences: true,
  initial: ({ holdFor, permits }) =>
    permits === 0
      ? refuse("InvalidOptions", "permits must be at least 1")
      : { permits, free: permits, holds: new Map(), holdFor },
  pristine: (state) => state.holds.size === 0,
  revoke: (state, { id }) => giveBack(state, id),
  values: () => [],
  version: 2,
  format: Format.struct({
    permits: Format.count,
    free: Format.count,
    holds: Format.map(Format.count, Format.count),
    ...HoldFor.fields
  }),
  check: ({ free, holds, permits }, grants) => {
    const held = [...holds.values()].reduce((sum, n) => sum + n, 0)
    const broken: Array<string> = []
    if (free < 0 || free + held !== permits) broken.push(`I2: ${free} free and ${held} held of ${permits} permits`)
    if (grants.length !== holds.size || grants.some(({ id }) => !holds.has(id))) {
      broken.push(`I2: permits are held by ${[...holds.keys()]} and granted to ${grants.map(({ id }) => id)}`)
    }
    return broken
  }
})
