/**
 * Condition: a lock with a wait set, a monitor as Hoare and Brinch Hansen described it, with Mesa's signals (S-15).
 *
 * ```text
 *   holds ─ wait ─► asleep ─ notify ─► notified ─► holds again, in the FIFO order of all calls that want the lock
 * ```
 *
 * A call that begins to wait releases the lock in the same step, so no notification is lost in between. There are no
 * spurious wake-ups: a waiter is known by the index at which it began to wait, and a notification that its receiver
 * cannot use any more goes to the oldest waiter that was asleep when the notification was made, or is dropped.
 *
 * I2: a waiter is in exactly one of `asleep`, `notified`, or the holder. I5: as for a lock; each wait ends with a new
 * token.
 */
import * as Format from "../Format.ts"
import { kindOf } from "../Kind.ts"
import { answer, type At, type Grant, operationsOf, ready, refuse, wait, waitIn } from "../Operation.ts"
import { count, named } from "../Parameter.ts"
import * as HoldFor from "./holdFor.ts"
import * as Lock from "./lock.ts"

interface State extends Lock.Locked {
  /** Waiters without a notification, by the index at which each began to wait, in order. */
  readonly asleep: Set<number>
  /** Waiters with a notification and without the lock, and the index of the notification. */
  readonly notified: Map<number, number>
  /** The notification by which the holder got the lock; absent: the holder acquired the lock. */
  wokenBy: number | undefined
}

const { change, grant } = operationsOf<State, "waiting" | "asleep">()

const wake = (state: State, waiter: number, notification: number): void => {
  state.asleep.delete(waiter)
  state.notified.set(waiter, notification)
}

/** Notifies the oldest waiters, at most `most`; returns their number. */
const wakeOldest = (state: State, most: number, notification: number): number => {
  let woken = 0
  for (const waiter of state.asleep) {
    if (woken === most) break
    wake(state, waiter, notification)
    woken++
  }
  return woken
}

/** Gives an unused notification to the oldest waiter that was asleep when the notification was made (S-15). */
const passOn = (state: State, notification: number | undefined): void => {
  const [oldest] = state.asleep
  if (notification !== undefined && oldest !== undefined && oldest < notification) wake(state, oldest, notification)
}

/** The holder does not use the notification that woke it. */
const declined = (state: State): void => {
  const { wokenBy } = state
  state.wokenBy = undefined
  passOn(state, wokenBy)
}

/** The holder releases the lock: it has used the notification that woke it. */
const release = (state: State, token: number, at: At): void => {
  Lock.release(state, token, at)
  state.wokenBy = undefined
}

const operations = {
  ...Lock.operations,
  release: change({
    parameters: [count],
    settles: true,
    decide: Lock.ifHeld,
    apply: (state, [token], at) => {
      release(state, token, at)
      return []
    }
  }),
  /** Releases the lock and waits for a notification, then for the lock. Replies as `acquire`. */
  wait: grant({
    parameters: [count],
    lane: "asleep",
    // The hold in its guard ends when the call begins to wait.
    guarded: false,
    decide: (state, [token], at) => {
      if (at.since === undefined) return at.held(token) === undefined ? refuse("NotHeld", token) : wait
      if (state.asleep.has(at.since)) return wait
      // One order for all calls that want the lock: neither new calls nor notified waiters can starve the others.
      return state.holder === undefined ? ready : waitIn("waiting")
    },
    enter: (state, [token], at) => {
      release(state, token, at)
      state.asleep.add(at.index)
    },
    withdraw: (state, _, __, at) => {
      if (state.asleep.delete(at.since!)) return
      const notification = state.notified.get(at.since!)
      state.notified.delete(at.since!)
      passOn(state, notification)
    },
    apply: (state, _, at) => {
      state.wokenBy = state.notified.get(at.since!)
      state.notified.delete(at.since!)
      return Lock.hold(state, at)
    }
  }),
  /** The holder was interrupted and does not use the notification that woke it, which goes to the next waiter. */
  decline: change({
    parameters: [count],
    settles: true,
    decide: (state, [token], at) =>
      at.held(token) === undefined ? refuse("NotHeld", token) : state.wokenBy === undefined ? answer() : ready,
    apply: (state) => {
      declined(state)
      return []
    }
  }),
  /** Notifies the oldest waiters, up to a number; replies with how many it notified. Only for the holder. */
  notify: change({
    parameters: [count, named("count", count)],
    decide: (state, [token, most], at) =>
      at.held(token) === undefined
        ? refuse("NotHeld", token)
        : most === 0 || state.asleep.size === 0
        ? answer(0)
        : ready,
    apply: (state, [, most], at) => [wakeOldest(state, most, at.index)] as const
  })
}

/** The kind behind `SharedCondition`. */
export const condition = kindOf<State>()({
  name: "Condition",
  // In this order: a waiter that wakes up stands behind the calls that already wait for the lock.
  lanes: ["waiting", "asleep"],
  options: HoldFor.options,
  operations,
  fences: true,
  initial: (options) => ({ ...Lock.free(options), asleep: new Set(), notified: new Map(), wokenBy: undefined }),
  pristine: (state) => Lock.pristine(state) && state.asleep.size === 0 && state.notified.size === 0,
  revoke: (state, grant: Grant, reason) => {
    Lock.revoke(state, grant, reason)
    // The holder was interrupted before it heard of the notification, or its process died while it held.
    declined(state)
  },
  values: () => [],
  version: 2,
  format: Format.struct({
    ...Lock.fields,
    asleep: Format.set(Format.count),
    notified: Format.map(Format.count, Format.count),
    wokenBy: Format.optional(Format.count)
  }),
  check: (state, grants) => {
    const broken = [...Lock.check(state, grants)]
    const asleep = [...state.asleep]
    if (asleep.some((waiter, i) => i > 0 && asleep[i - 1]! >= waiter)) broken.push("I2: the sleepers are out of order")
    for (const [waiter, notification] of state.notified) {
      if (state.asleep.has(waiter)) broken.push(`I2: waiter ${waiter} is asleep and notified`)
      if (waiter >= notification) broken.push(`I2: waiter ${waiter} was notified before it waited, at ${notification}`)
    }
    if (state.wokenBy !== undefined && state.holder === undefined) {
      broken.push("I2: a notification has woken a holder, and there is none")
    }
    return broken
  }
})
