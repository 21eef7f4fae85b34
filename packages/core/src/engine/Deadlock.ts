/**
 * Deadlocks: requests that wait for one another, so that none of them can ever go on (S-34).
 *
 * ```text
 *   request ─ must wait for the end of ─► holds (`Operation.isBlocked`) ─ each stalled by ─► a request ─► ...
 * ```
 *
 * A request *stalls* a hold that ends no earlier than the request: the fiber that would end the hold waits for the
 * request. Only the client knows that, so a request says how many of the holds around its fiber it stalls
 * (`RequestInput.stalls`). A waiting request is *stuck* if it must wait as long as the holds last that stuck requests
 * stall. The search is for the largest set of requests of which each is stuck. Nothing outside of such a set can end it,
 * except to interrupt a fiber or to end a session, so it is no false alarm.
 *
 * A set can become stuck only when a request begins to wait, and then it has this request. So the search begins there. It
 * turns only to requests that stall what another one of the set waits for.
 */
import { type Grant, type GrantId, type Refusal, refuse } from "./Operation.ts"
import type { EngineState, Parked, Session } from "./State.ts"
import type { Argument } from "./Value.ts"

/** How many of the innermost holds of a guard a request stalls: those that its session has and no other request stalls. */
export const stalls = (
  { stalled }: EngineState,
  { grants }: Session,
  { guard, stalls }: Pick<Parked, "guard" | "stalls">
): number => {
  let count = 0
  while (count < stalls && count < guard.length) {
    const id = guard[guard.length - 1 - count]!
    if (!grants.has(id) || stalled.has(id) || guard.includes(id, guard.length - count)) break
    count++
  }
  return count
}

/** A request that stalls holds begins to wait. */
export const stall = ({ stalled }: EngineState, parked: Parked): void => {
  for (const id of stalledBy(parked)) stalled.set(id, parked)
}

/** A request that stalls holds has stopped waiting. */
export const unstall = ({ stalled }: EngineState, parked: Parked): void => {
  for (const id of stalledBy(parked)) stalled.delete(id)
}

/** The holds that a waiting request stalls, innermost last. */
export const stalledBy = ({ guard, stalls }: Parked): ReadonlyArray<GrantId> => guard.slice(guard.length - stalls)

/** Refuses a request that has just begun to wait, if it waits for itself: by the holds of the cycle. */
export const refusal = (state: EngineState, parked: Parked): Refusal | undefined => {
  const cycle = new Search(state, parked).cycle()
  return cycle &&
    refuse("DeadlockDetected", cycle.length, ...cycle.slice(0, told).flatMap((hold) => shown(state, hold)))
}

/** The most holds of a cycle that are told. */
const told = 16

/** Kind and name or id of the object, name and process id of the holder, its session, and the hold. */
const shown = ({ objects, sessions }: EngineState, hold: Grant): ReadonlyArray<Argument> => {
  const { kind, name } = objects.get(hold.object)!
  const { label } = sessions.get(hold.session)!
  return [kind.name, name ?? hold.object, label.name, label.pid, hold.session, hold.id]
}

class Search {
  readonly #state: EngineState
  readonly #root: Parked
  /** The requests that may be stuck, each with those that are taken to be stuck because of it. */
  readonly #waiting: Map<Parked, Set<Parked>>
  /** The requests that may go on. */
  readonly #free = new Set<Parked>()

  constructor(state: EngineState, root: Parked) {
    this.#state = state
    this.#root = root
    this.#waiting = new Map([[root, new Set()]])
  }

  /** The holds of a cycle in which each request waits for the next hold: first the one that the root stalls. */
  cycle(): ReadonlyArray<Grant> | undefined {
    return this.#isStuck() ? this.#way() : undefined
  }

  /** Takes each request for stuck until the requests that it depends on show that it is not. */
  #isStuck(): boolean {
    const open = [this.#root]
    for (let next; (next = open.pop()) !== undefined;) {
      const request = next
      const isBlocked = this.#isBlocked(request, (by) => {
        let dependents = this.#waiting.get(by)
        if (dependents === undefined) {
          this.#waiting.set(by, dependents = new Set())
          open.push(by)
        }
        dependents.add(request)
      })
      if (isBlocked) continue
      if (request === this.#root) return false
      this.#free.add(request)
      for (const dependent of this.#waiting.get(request)!) if (!this.#free.has(dependent)) open.push(dependent)
    }
    return true
  }

  /** The holds on a shortest way from the root to the root; absent: the root waits for others that wait for one another. */
  #way(): ReadonlyArray<Grant> | undefined {
    const steps = new Map<Parked, { readonly from: Parked; readonly hold: Grant } | undefined>([[
      this.#root,
      undefined
    ]])
    for (const request of steps.keys()) {
      let last: Grant | undefined
      this.#isBlocked(request, (by, hold) => {
        if (by === this.#root) last ??= hold
        else if (!steps.has(by)) steps.set(by, { from: request, hold })
      })
      if (last === undefined) continue
      const back: Array<Grant> = []
      for (let step = steps.get(request); step !== undefined; step = steps.get(step.from)) back.push(step.hold)
      return [last, ...back.reverse()]
    }
    return undefined
  }

  /** Whether a request must wait as long as holds last that are stalled by requests which may be stuck. */
  #isBlocked({ calls }: Parked, tell: (by: Parked, hold: Grant) => void): boolean {
    // Of several calls each has a way of its own to go on.
    if (calls.length > 1) return false
    const { args, object: id, operation } = calls[0]!
    const object = this.#state.objects.get(id)!
    const { isBlocked } = object.operations[operation]![1]
    if (isBlocked === undefined) return false
    const isStuck = (id: GrantId): boolean => {
      const hold = object.grants.get(id)
      const by = this.#state.stalled.get(id)
      if (hold === undefined || by === undefined || this.#free.has(by) || !this.#lasts(by)) return false
      tell(by, hold)
      return true
    }
    const { index, now } = this.#state
    return isBlocked(object.state, args, isStuck, { now, upcoming: index + 1 })
  }

  /** Whether all holds around a request last: none has ended, and none ends by itself, which would interrupt the request. */
  #lasts({ guard, session }: Parked): boolean {
    const { grants } = this.#state.sessions.get(session)!
    return guard.every((id) => grants.has(id) && grants.get(id)!.deadline === undefined)
  }
}
