/**
 * Actor: calls that a process carries out, its host. The manager passes them on, and knows whether the host lives.
 *
 * ```text
 *   caller ─ call ─► queued ─ receive (the host) ─► delivered ─ answer (the host) ─► the end, told to the caller
 *                       ▲                               │                               ▲
 *                       └── the host ends with order ───┴───────── the host dies ───────┘
 * ```
 *
 * To host is a grant, and so is each delivery. The end of the host's session revokes both, and a caller that does not wait
 * any more revokes its delivery.
 *
 * I2: a call that waits is queued or delivered, and only the host has deliveries. Queued calls are in the order in which
 * they began to wait: one that comes back goes to its old place.
 */
import * as Format from "../Format.ts"
import { kindOf } from "../Kind.ts"
import * as Linked from "../Linked.ts"
import { type At, type Decision, type Grant, type GrantId, operationsOf, ready, refuse, wait } from "../Operation.ts"
import { anything, atLeastOne, count, oneOf, value, word, wordOrNothing } from "../Parameter.ts"
import type { Argument, Cell } from "../Value.ts"

/**
 * How a call ended: its handler was *done* or *failed*, and the value says with what; it was *refused*, and the text says
 * why; its host *died*; it was *unhosted*, and does not wait.
 */
type Ending = readonly [how: "done" | "failed" | "refused" | "died" | "unhosted", result: Argument]

/** A call that waits. */
interface Waiting extends Linked.Linked<Waiting> {
  /** The index at which it began to wait. */
  readonly call: number
  readonly method: string
  readonly payload: Cell
  /** The span of its caller, as a text that the host reads; absent: there is none. */
  readonly span: string | undefined
  /** The grant of its delivery; absent: it is queued. */
  delivery: GrantId | undefined
  /** Set until its caller is told, in the same step. */
  ending: Ending | undefined
}

interface State {
  /** How many calls may be queued. */
  readonly mailboxMax: number
  /** Whether calls wait for a host, or fail if there is none. */
  readonly withoutHost: "wait" | "fail"
  host: GrantId | undefined
  /** All calls that wait, in order. */
  readonly calls: Map<number, Waiting>
  readonly queue: Linked.List<Waiting>
  readonly deliveries: Map<GrantId, Waiting>
}

const { change, grant, read } = operationsOf<State, "callers" | "hosts" | "deliveries">()

const queued = ({ calls, deliveries }: State): number => calls.size - deliveries.size

/** Which call an ending is for, as a condition. */
const nameOf = (call: number): string => String(call)

/** An actor without calls. */
const empty = (options: Pick<State, "mailboxMax" | "withoutHost" | "host">): State => ({
  ...options,
  calls: new Map(),
  queue: { head: undefined, tail: undefined },
  deliveries: new Map()
})

const enqueue = (state: State, call: number, method: string, payload: Cell, span: string | undefined): void => {
  const waiting: Waiting = {
    call,
    method,
    payload,
    span,
    delivery: undefined,
    ending: undefined,
    previous: undefined,
    next: undefined
  }
  state.calls.set(call, waiting)
  Linked.addLast(state.queue, waiting)
}

const deliver = ({ deliveries, queue }: State, waiting: Waiting, delivery: GrantId): void => {
  Linked.remove(queue, waiting)
  waiting.delivery = delivery
  deliveries.set(delivery, waiting)
}

/** Ends a call that is neither queued nor delivered. Its caller is told in this step. */
const end = (waiting: Waiting, ending: Ending, at: At): void => {
  at.release(waiting.payload)
  waiting.ending = ending
  at.wakes(null, nameOf(waiting.call))
}

/** Takes a call from its delivery, which has ended. */
const takeBack = ({ deliveries }: State, delivery: GrantId): Waiting => {
  const waiting = deliveries.get(delivery)!
  deliveries.delete(delivery)
  waiting.delivery = undefined
  return waiting
}

/** Puts a call back to its old place. The cost is the number of older calls that are queued, which are few. */
const putBack = ({ queue }: State, waiting: Waiting): void => {
  let before: Waiting | undefined
  for (let other = queue.head; other !== undefined && other.call < waiting.call; other = other.next) before = other
  Linked.addAfter(queue, before, waiting)
}

/** Gives the host of a state the first queued call. */
const deliverFirst = (state: State, at: At) => {
  const waiting = state.queue.head!
  deliver(state, waiting, at.index)
  return [at.index, waiting.method, waiting.payload, waiting.span ?? null] as const
}

const isDelivered = ({ deliveries }: State, delivery: GrantId, at: At): boolean =>
  deliveries.has(delivery) && at.held(delivery) !== undefined

/** A call of the host has ended. */
const answer = (state: State, delivery: GrantId, ending: Ending, at: At): void => {
  at.settle(delivery)
  end(takeBack(state, delivery), ending, at)
}

const died = (waiting: Waiting, at: At): void => end(waiting, ["died", null], at)

/** The host has ended, and so have its deliveries. */
const unhosted = (state: State, at: At, undelivered: (waiting: Waiting) => void): void => {
  state.host = undefined
  for (const delivery of state.deliveries.keys()) {
    at.settle(delivery)
    undelivered(takeBack(state, delivery))
  }
  if (state.withoutHost === "wait") return
  for (let waiting = state.queue.head; waiting !== undefined; waiting = state.queue.head) {
    Linked.remove(state.queue, waiting)
    end(waiting, ["unhosted", null], at)
  }
}

const isHost = ({ host: current }: State, host: GrantId, at: At): boolean =>
  current === host && at.held(host) !== undefined

/** Whether a call can be delivered to a host. */
const received = (state: State, host: GrantId, at: At): Decision<"NotHeld"> =>
  !isHost(state, host, at) ? refuse("NotHeld", host) : state.queue.head === undefined ? wait : ready

const operations = {
  /** Queues a call of a method. Waits until it has ended, and replies with how. */
  call: change({
    parameters: [word, value, wordOrNothing],
    lane: "callers",
    condition: (_, since) => [null, nameOf(since)],
    decide: (state, _, { since }): Decision<"MailboxFull" | "NotHosted"> => {
      if (since !== undefined) return state.calls.get(since)?.ending === undefined ? wait : ready
      if (state.withoutHost === "fail" && state.host === undefined) return refuse("NotHosted")
      return queued(state) >= state.mailboxMax ? refuse("MailboxFull", state.mailboxMax) : wait
    },
    enter: (state, [method, payload, span], at) => {
      at.retain(payload)
      enqueue(state, at.index, method, payload, span ?? undefined)
    },
    withdraw: (state, _, __, at) => {
      const waiting = state.calls.get(at.since!)
      state.calls.delete(at.since!)
      if (waiting === undefined || waiting.ending !== undefined) return
      const { delivery, payload } = waiting
      at.release(payload)
      if (delivery === undefined) return Linked.remove(state.queue, waiting)
      takeBack(state, delivery)
      at.revoke(delivery)
    },
    apply: ({ calls }, _, { since }) => {
      const ending = calls.get(since!)!.ending!
      calls.delete(since!)
      return ending
    }
  }),
  /** Makes the caller the host. If there is one: refused, or with 1 waits for its end. */
  serve: grant({
    parameters: [count],
    lane: "hosts",
    decide: ({ host }, [isStandby]) => host === undefined ? ready : isStandby === 1 ? wait : refuse("AlreadyServed"),
    apply: (state, _, at) => [state.host = at.index] as const
  }),
  /** The host waits for a call. Replies with its delivery, its method, its payload and its span. */
  receive: grant({
    parameters: [count],
    lane: "deliveries",
    guarded: false,
    decide: (state, [host], at) => received(state, host, at),
    apply: (state, _, at) => deliverFirst(state, at)
  }),
  /** As `answer` at once, unless its caller has gone, and `receive`: one request for each call. */
  answerAndReceive: grant({
    parameters: [count, count, oneOf("done", "failed"), value],
    lane: "deliveries",
    guarded: false,
    decide: (state, [host], at) => received(state, host, at),
    enter: (state, [, delivery, how, result], at) => {
      if (isDelivered(state, delivery, at)) answer(state, delivery, [how, result], at)
    },
    apply: (state, [, delivery, how, result], at) => {
      if (at.since === undefined && isDelivered(state, delivery, at)) answer(state, delivery, [how, result], at)
      return deliverFirst(state, at)
    }
  }),
  /** Settles a delivery: its call has ended. */
  answer: change({
    parameters: [count, oneOf("done", "failed", "refused", "died"), anything],
    settles: true,
    decide: (state, [delivery], at) => isDelivered(state, delivery, at) ? ready : refuse("NotHeld", delivery),
    apply: (state, [delivery, how, result], at) => {
      answer(state, delivery, [how, result], at)
      return []
    }
  }),
  /** Ends the host. It has answered what it has begun: its other calls are queued again. */
  end: change({
    parameters: [count],
    settles: true,
    decide: (state, [host], at) => isHost(state, host, at) ? ready : refuse("NotHeld", host),
    apply: (state, [host], at) => {
      at.settle(host)
      unhosted(state, at, (waiting) => putBack(state, waiting))
      return []
    }
  }),
  /** Replies with 1 if there is a host, else 0, and the numbers of queued and of delivered calls. */
  status: read([], (state) => [state.host === undefined ? 0 : 1, queued(state), state.deliveries.size] as const)
}

/** The kind behind `Actor`. */
export const actor = kindOf<State>()({
  name: "Actor",
  lanes: ["callers", "hosts", "deliveries"],
  operations,
  options: { mailboxMax: atLeastOne, withoutHost: oneOf("wait", "fail") },
  initial: (options) => empty({ ...options, host: undefined }),
  pristine: ({ calls, host }) => host === undefined && calls.size === 0,
  // A session is the host before it has deliveries. So its end takes them with the host, and a delivery alone is cancelled.
  revoke: (state, { id }: Grant, _, at) =>
    id === state.host
      ? unhosted(state, at, (waiting) => died(waiting, at))
      : putBack(state, takeBack(state, id)),
  values: function*({ calls }) {
    for (const { ending, payload } of calls.values()) if (ending === undefined) yield payload
  },
  version: 2,
  format: Format.convert(
    Format.struct({
      mailboxMax: Format.number,
      withoutHost: Format.literal("wait", "fail"),
      host: Format.optional(Format.count),
      calls: Format.list(Format.struct<Pick<Waiting, "call" | "method" | "payload" | "span" | "delivery">>({
        call: Format.count,
        method: Format.word,
        payload: Format.cell,
        span: Format.optional(Format.word),
        delivery: Format.optional(Format.count)
      }))
    }),
    ({ calls, ...state }) => ({ ...state, calls: [...calls.values()] }),
    ({ calls, ...options }) => {
      const state = empty(options)
      for (const { call, delivery, method, payload, span } of calls) {
        enqueue(state, call, method, payload, span)
        if (delivery !== undefined) deliver(state, state.calls.get(call)!, delivery)
      }
      return state
    }
  ),
  check: ({ calls, deliveries, host, queue }, grants) => {
    const broken: Array<string> = []
    const granted = new Set(grants.map(({ id }) => id))
    if (host === undefined ? deliveries.size > 0 : !granted.delete(host)) broken.push("I3: the host has no grant")
    if (granted.size !== deliveries.size || [...deliveries.keys()].some((id) => !granted.has(id))) {
      broken.push(`I2: ${deliveries.size} calls are delivered, by ${granted.size} grants`)
    }
    const known: Array<Waiting> = []
    for (let waiting = queue.head; waiting !== undefined; waiting = waiting.next) known.push(waiting)
    if (known.some(({ call }, i) => i > 0 && known[i - 1]!.call >= call)) {
      broken.push("I2: queued calls are out of order")
    }
    known.push(...deliveries.values())
    const waiting = [...calls.values()].filter(({ ending }) => ending === undefined).length
    if (known.length !== waiting || known.some((waiting) => calls.get(waiting.call) !== waiting)) {
      broken.push(`I2: ${known.length} calls are queued or delivered, of ${waiting}`)
    }
    return broken
  }
})
