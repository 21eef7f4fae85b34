/**
 * Queue: FIFO, bounded, with leases (S-17 to S-19).
 *
 * I2: every accepted item is in exactly one of *queued* (`items`), *out* (with the grant that got it), *dead*, settled
 * (only counted), or was a dead letter (only counted). Queued items are in the order of acceptance: an item that comes
 * back goes to its old place, not to the head. A dead letter that is retried is accepted again.
 */
import * as Format from "../Format.ts"
import { kindOf } from "../Kind.ts"
import * as Memory from "../Memory.ts"
import {
  answer,
  type At,
  type Grant,
  type GrantId,
  operationsOf,
  ready,
  type Refusal,
  refuse,
  wait
} from "../Operation.ts"
import { OrderedMap } from "../OrderedMap.ts"
import { firstPage } from "../Page.ts"
import { atLeastOne, count, oneOf, optional, value, word } from "../Parameter.ts"
import { type Argument, bytesMaxOf, type Cell } from "../Value.ts"
import * as HoldFor from "./holdFor.ts"
import * as Producers from "./producers.ts"

interface Item {
  /** The number of items that were accepted before it. */
  readonly place: number
  readonly value: Cell
  /** Deliveries that ended without success. */
  attempts: number
}

/** An item that a grant has. */
interface Out {
  readonly item: Item
  readonly leased: boolean
}

/** A dead letter. */
interface Letter {
  /** Grows with every dead letter. */
  readonly id: number
  readonly item: Item
  readonly reason: string
}

/** *sliding* discards the oldest dead letter for one too many; *suspend* delivers no item while there is no room. */
const strategies = ["sliding", "suspend"] as const

interface State extends Producers.Produced, HoldFor.Bounded {
  readonly capacity: number
  /** After this number of failed deliveries an item is a dead letter. */
  readonly attemptsMax: number
  /** Queued items from `head` on; the slots before it are free. */
  readonly items: Array<Item | undefined>
  head: number
  readonly out: Map<GrantId, Out>
  /** The number of leased items in `out`: they still fill the queue. */
  leased: number
  /** By lease, the offers that wait for room and are made for its item. Told by what waits, so it is not saved. */
  readonly waitingFor: Map<GrantId, number>
  /** The number of leases in `out` for whose items offers wait. */
  stuck: number
  readonly deadLetterCapacity: number
  readonly deadLetterStrategy: typeof strategies[number]
  /** Dead letters by id, oldest first. */
  readonly dead: OrderedMap<Letter>
  /** The number of items that have become dead letters: the id of the last one. */
  died: number
  /** The number of dead letters that were dropped or retried. Others that are gone were discarded: there were too many. */
  ended: number
  accepted: number
  settled: number
}

const { change, grant, read } = operationsOf<State, "conditions" | "takers" | "putters">()

const queued = (state: State): Array<Item> => state.items.slice(state.head) as Array<Item>

const size = (state: State): number => state.items.length - state.head

const closed = refuse("QueueClosed")

const ifHeld = ({ out }: State, [lease]: readonly [GrantId, ...ReadonlyArray<unknown>], at: At) =>
  out.has(lease) && at.held(lease) !== undefined ? ready : refuse("NotHeld", lease)

/** Whether an item can be delivered now. */
const canDeliver = (state: State): boolean =>
  size(state) > 0 && (state.deadLetterStrategy !== "suspend" || state.dead.size < state.deadLetterCapacity)

/** Items may come back to a closed queue while some are out. */
const decideTake = (state: State) => {
  if (canDeliver(state)) return ready
  if (!state.closed || size(state) > 0 || state.out.size > 0) return wait
  return state.failed ? refuse("ProducerLost") : closed
}

const room = (state: State): number => state.capacity - size(state) - state.leased

const decideOffer = (state: State) => state.closed ? closed : room(state) > 0 ? ready : wait

/**
 * How long a queue may stand still, in milliseconds, while all its leases wait for it, before that is a deadlock: a process
 * may be about to take a queued item.
 */
const patience = 2_000

/** Whether the queue is full, and nothing makes room: each lease is of an item for which an offer waits. */
const isDeadlocked = (state: State, unchanged: number): boolean =>
  room(state) <= 0 && state.leased > 0 && state.stuck === state.leased && (size(state) === 0 || unchanged >= patience)

/** Counts an offer that begins or ends to wait, for each lease that it is made for. */
const tally = (state: State, leases: ReadonlyArray<GrantId>, by: 1 | -1): void => {
  for (const lease of leases) {
    const before = state.waitingFor.get(lease) ?? 0
    if (before + by === 0) state.waitingFor.delete(lease)
    else state.waitingFor.set(lease, before + by)
    if ((before === 0 || before + by === 0) && state.out.get(lease)?.leased === true) state.stuck += by
  }
}

const enqueue = (state: State, item: Cell): void => {
  state.items.push({ place: state.accepted++, value: item, attempts: 0 })
}

const accept = (state: State, item: Cell, at: At): void => {
  at.retain(item)
  enqueue(state, item)
}

const deliver = (state: State, at: At, leased: boolean): Item => {
  const item = state.items[state.head]!
  state.items[state.head++] = undefined
  // Free slots are removed when they are the larger half: amortised O(1).
  if (state.head > 32 && state.head * 2 > state.items.length) {
    state.items.splice(0, state.head)
    state.head = 0
  }
  state.out.set(at.index, { item, leased })
  if (leased) countLease(state, at.index, 1)
  return item
}

/** Takes an item from its grant. */
const takeBack = (state: State, id: GrantId): Item => {
  const { item, leased } = state.out.get(id)!
  state.out.delete(id)
  if (leased) countLease(state, id, -1)
  return item
}

const countLease = (state: State, id: GrantId, by: 1 | -1): void => {
  state.leased += by
  if (state.waitingFor.has(id)) state.stuck += by
}

const settle = (state: State, id: GrantId, at: At): void => {
  at.release(takeBack(state, id).value)
  state.settled++
}

/** Puts an item back to its old place (S-17). The cost is the number of older items that are queued, which are few. */
const putBack = (state: State, item: Item): void => {
  let position = state.head
  while (position < state.items.length && state.items[position]!.place < item.place) position++
  if (position === state.head && state.head > 0) state.items[--state.head] = item
  else state.items.splice(position, 0, item)
}

/** Counts a failed delivery: the item comes back, or becomes a dead letter (S-19). */
const failed = (state: State, item: Item, reason: string, at: At): void => {
  item.attempts++
  if (item.attempts >= state.attemptsMax) addLetter(state, item, reason, at)
  else putBack(state, item)
}

/** Adds a dead letter. If that is one too many, the oldest is discarded. */
const addLetter = (state: State, item: Item, reason: string, at: At): void => {
  const id = ++state.died
  state.dead.set(id, { id, item, reason })
  at.grow(Memory.ofKey(reason))
  if (state.deadLetterStrategy === "suspend" || state.dead.size <= state.deadLetterCapacity) return
  const [oldest] = state.dead.after(0)
  at.release(removeLetter(state, oldest!.id, at))
}

const discarded = ({ dead, died, ended }: State): number => died - dead.size - ended

/** Removes a dead letter and returns its value. */
const removeLetter = (state: State, id: number, at: At): Cell => {
  const { item, reason } = state.dead.get(id)!
  state.dead.delete(id)
  at.grow(-Memory.ofKey(reason))
  return item.value
}

/**
 * Id, attempts, reason and value of each dead letter behind an id, up to another one. A value that does not fit into a
 * page beside its reason is left out, because both together may be more than a frame.
 */
function* letters({ dead }: State, after: number, last: number, bytesMax: number): Generator<Argument> {
  for (const { id, item: { attempts, value }, reason } of dead.after(after)) {
    if (id > last) return
    yield* [id, attempts, reason]
    yield bytesMaxOf(reason) + bytesMaxOf(value) > bytesMax ? null : value
  }
}

const operations = {
  ...Producers.operations,
  /** Waits while the queue is full. The leases may follow for whose items the offer is made. */
  offer: change({
    parameters: [value],
    rest: [count],
    lane: "putters",
    decide: decideOffer,
    stuck: (state, [, ...leases], unchanged): Refusal<"Deadlock"> | number | undefined =>
      leases.length === 0 ? undefined : isDeadlocked(state, unchanged) ? refuse("Deadlock", state.capacity) : patience,
    tally: (state, [, ...leases], by) => tally(state, leases.filter((lease) => typeof lease === "number"), by),
    apply: (state, [item], at) => {
      accept(state, item, at)
      return []
    }
  }),
  /** Adds as many of the first items as there is room for, none if an offer waits for room; replies with how many. */
  offerAll: change({
    parameters: [],
    rest: [value],
    lane: "putters",
    decide: (state, items, at) =>
      state.closed ? closed : items.length === 0 || at.isBehind || room(state) <= 0 ? answer(0) : ready,
    apply: (state, items, at) => {
      const accepted = items.slice(0, Math.ceil(room(state)))
      for (const item of accepted) accept(state, item, at)
      return [accepted.length] as const
    }
  }),
  /** Waits for the first item. The client owns it after the receipt of the reply. */
  take: grant({
    parameters: [],
    lane: "takers",
    byReceipt: true,
    decide: decideTake,
    apply: (state, [], at) => [deliver(state, at, false).value] as const
  }),
  /** As `take`, but replies with nothing where `take` would wait, or fail because the queue is closed. */
  poll: grant({
    parameters: [],
    lane: "takers",
    byReceipt: true,
    decide: (state, [], at) => at.isBehind || !canDeliver(state) ? answer() : ready,
    apply: (state, [], at): readonly [] | readonly [Cell] => [deliver(state, at, false).value]
  }),
  /**
   * Waits for the first item and leases it, until `ack`, `giveBack` or `reject` settles the lease. Replies with lease,
   * attempt and value, and with 1 if the lease may be lost because it has a deadline.
   */
  takeLease: grant({
    parameters: [],
    lane: "takers",
    decide: decideTake,
    apply: (
      state,
      [],
      at
    ): readonly [lease: GrantId, attempt: number, item: Cell, ...isBounded: ReadonlyArray<number>] => {
      HoldFor.bound(state, at)
      const { attempts, value } = deliver(state, at, true)
      const lease = [at.index, attempts + 1, value] as const
      return state.holdFor === undefined ? lease : [...lease, 1]
    }
  }),
  /** Settles a lease: the work is done, and the item is gone. */
  ack: change({
    parameters: [count],
    settles: true,
    decide: ifHeld,
    apply: (state, [lease], at) => {
      at.settle(lease)
      settle(state, lease, at)
      return []
    }
  }),
  /** Settles a lease: the work was not done, and the item comes back. 1: the delivery counts as failed. */
  giveBack: change({
    parameters: [count, count, word],
    settles: true,
    decide: ifHeld,
    apply: (state, [lease, asFailure, reason], at) => {
      at.settle(lease)
      const item = takeBack(state, lease)
      if (asFailure === 1) failed(state, item, reason, at)
      else putBack(state, item)
      return []
    }
  }),
  /** Settles a lease: the item becomes a dead letter with this reason. */
  reject: change({
    parameters: [count, word],
    settles: true,
    decide: ifHeld,
    apply: (state, [lease, reason], at) => {
      at.settle(lease)
      addLetter(state, takeBack(state, lease), reason, at)
      return []
    }
  }),
  /** Refuses offers from now on; takers drain the queue. */
  close: change({
    parameters: [],
    apply: (state) => {
      state.closed = true
      return []
    }
  }),
  /** Removes all queued items; replies with their number. */
  clear: change({
    parameters: [],
    decide: (state) => size(state) === 0 ? answer(0) : ready,
    apply: (state, [], at) => {
      const dropped = queued(state)
      for (const { value } of dropped) at.release(value)
      state.items.length = 0
      state.head = 0
      state.settled += dropped.length
      return [dropped.length] as const
    }
  }),
  isFull: read([], (state) => [room(state) > 0 ? 0 : 1] as const),
  /** Waits until no item is queued. */
  untilEmpty: read([], () => [], { lane: "conditions", decide: (state) => size(state) === 0 ? ready : wait }),
  /** Waits until no item is queued or out: all are settled or dead letters. */
  untilSettled: read([], () => [], {
    lane: "conditions",
    decide: (state) => size(state) === 0 && state.out.size === 0 ? ready : wait
  }),
  /** Replies with the numbers of queued and of leased items. */
  size: read([], (state) => [size(state), state.leased] as const),
  /**
   * A page of dead letters: those behind an id, or 0, up to another one, in a number of bytes. Replies with the newest
   * that there was, 1 if more follow, else 0, and id, attempts, reason and value of each letter, oldest first. A value
   * that is too large for the page is left out: `deadLetter` replies with it.
   */
  deadLetters: read(
    [count, count, count],
    (state, [after, to, bytesMax]): readonly [newest: number, more: number, ...page: ReadonlyArray<Argument>] => {
      const newest = Math.min(to, state.died)
      const { isLast, page } = firstPage(letters(state, after, newest, bytesMax), 4, bytesMax)
      return [newest, isLast ? 0 : 1, ...page]
    }
  ),
  /** Replies with the value of a dead letter, or with nothing if it is gone. */
  deadLetter: read([count], (state, [id]): readonly [] | readonly [Cell] => {
    const letter = state.dead.get(id)
    return letter === undefined ? [] : [letter.item.value]
  }),
  /** Drops a dead letter; replies with 1, or with 0 if it is gone. */
  drop: change({
    parameters: [count],
    decide: (state, [id]) => state.dead.has(id) ? ready : answer(0),
    apply: (state, [id], at) => {
      at.release(removeLetter(state, id, at))
      state.ended++
      return [1] as const
    }
  }),
  /** Adds the item of a dead letter as `offer` does; replies with 1, or with 0 if the letter is gone. */
  retry: change({
    parameters: [count],
    lane: "putters",
    decide: (state, [id]) => state.dead.has(id) ? decideOffer(state) : answer(0),
    apply: (state, [id], at) => {
      enqueue(state, removeLetter(state, id, at))
      state.ended++
      return [1] as const
    }
  }),
  /** Replies with the numbers of dead letters, and of those that were discarded. */
  deadLetterCounts: read([], (state) => [state.dead.size, discarded(state)] as const)
}

const byId = (letters: ReadonlyArray<Letter>): OrderedMap<Letter> => {
  const map = new OrderedMap<Letter>()
  for (const letter of letters) map.set(letter.id, letter)
  return map
}

const item = Format.struct<Item>({ place: Format.count, value: Format.cell, attempts: Format.count })

/** The kind behind `SharedQueue`. */
export const queue = kindOf<State>()({
  name: "Queue",
  lanes: ["conditions", "takers", "putters"],
  operations,
  options: {
    capacity: atLeastOne,
    attempts: atLeastOne,
    deadLetterCapacity: optional(atLeastOne),
    deadLetterStrategy: optional(oneOf(...strategies)),
    ...HoldFor.options
  },
  initial: ({ attempts, capacity, deadLetterCapacity = Infinity, deadLetterStrategy = "sliding", holdFor }) => ({
    capacity,
    holdFor,
    attemptsMax: attempts,
    items: [],
    head: 0,
    out: new Map(),
    leased: 0,
    waitingFor: new Map(),
    stuck: 0,
    deadLetterCapacity,
    deadLetterStrategy,
    dead: new OrderedMap(),
    died: 0,
    ended: 0,
    ...Producers.none(),
    accepted: 0,
    settled: 0
  }),
  pristine: (state) =>
    size(state) === 0 && state.out.size === 0 && state.dead.size === 0 && !state.closed && state.producers.size === 0,
  revoke: (state, grant: Grant, reason, at) => {
    if (state.producers.has(grant.id)) return Producers.revoke(state, grant, reason)
    const item = takeBack(state, grant.id)
    if (reason === "cancelled") putBack(state, item)
    else failed(state, item, reason === "deadline" ? "the worker had it too long" : "the worker's session ended", at)
  },
  received: (state, { id }, at) => settle(state, id, at),
  values: function*(state) {
    for (const item of queued(state)) yield item.value
    for (const { item } of state.out.values()) yield item.value
    for (const { item } of state.dead.values()) yield item.value
  },
  bytes: ({ dead }) => {
    let bytes = 0
    for (const { reason } of dead.values()) bytes += Memory.ofKey(reason)
    return bytes
  },
  version: 3,
  format: Format.convert(
    Format.struct({
      capacity: Format.number,
      attemptsMax: Format.number,
      queued: Format.list(item),
      out: Format.map(Format.count, Format.struct<Out>({ item, leased: Format.boolean })),
      leased: Format.count,
      deadLetterCapacity: Format.number,
      deadLetterStrategy: Format.literal(...strategies),
      dead: Format.list(Format.struct<Letter>({ id: Format.count, item, reason: Format.word })),
      died: Format.count,
      ended: Format.count,
      ...Producers.fields,
      ...HoldFor.fields,
      accepted: Format.count,
      settled: Format.count
    }),
    (state) => ({ ...state, queued: queued(state), dead: [...state.dead.values()] }),
    ({ dead, queued, ...state }) => ({
      ...state,
      items: queued,
      head: 0,
      waitingFor: new Map(),
      stuck: 0,
      dead: byId(dead)
    })
  ),
  check: (state, grants) => {
    const broken = [...Producers.check(state, grants)]
    const deliveries = Producers.others(state, grants)
    const items = queued(state)
    const { dead, died, out, settled } = state
    if (items.length + out.size + settled + died !== state.accepted) {
      broken.push(
        `I2: ${state.accepted} accepted, but ${items.length} queued, ${out.size} out, ${settled} settled and ${died} dead`
      )
    }
    if (state.deadLetterStrategy === "sliding" ? dead.size > state.deadLetterCapacity : discarded(state) !== 0) {
      broken.push(`I2: ${dead.size} dead letters and ${discarded(state)} discarded: ${state.deadLetterStrategy}`)
    }
    if (items.some((item, i) => i > 0 && items[i - 1]!.place >= item.place)) {
      broken.push("I2: queued items are out of order")
    }
    if (deliveries.length !== state.out.size || deliveries.some(({ id }) => !state.out.has(id))) {
      broken.push(`I2: ${state.out.size} items are out, granted to ${deliveries.length} calls`)
    }
    if ([...state.out.values()].filter(({ leased }) => leased).length !== state.leased) {
      broken.push(`I2: ${state.leased} leases counted`)
    }
    const stuck = [...state.out].filter(([id, { leased }]) => leased && state.waitingFor.has(id))
    if (stuck.length !== state.stuck) broken.push(`I2: ${state.stuck} stuck leases counted, not ${stuck.length}`)
    return broken
  }
})
