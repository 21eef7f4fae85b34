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
import { answer, type Grant, type GrantId, operationsOf, ready, type Refusal, refuse, wait } from "../Operation.ts"
import { OrderedMap } from "../OrderedMap.ts"
import { firstPage } from "../Page.ts"
import { atLeastOne, count, oneOf, optional, value, word } from "../Parameter.ts"
import { type Argument, type Cell } from "../Value.ts"
import * as HoldFor from "./holdFor.ts"
import * as Producers from "./producers.ts"
import {
  accept,
  addLetter,
  canDeliver,
  closed,
  decideOffer,
  decideTake,
  deliver,
  discarded,
  enqueue,
  failed,
  ifHeld,
  isDeadlocked,
  type Item,
  type Letter,
  letters,
  type Out,
  patience,
  putBack,
  queued,
  removeLetter,
  room,
  settle,
  size,
  type State,
  strategies,
  takeBack,
  tally
} from "./queueItems.ts"
import * as Transactions from "./queueTransactions.ts"

const { change, grant, read } = operationsOf<State, "conditions" | "takers" | "putters">()

const operations = {
  ...Producers.operations,
  ...Transactions.operations,
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
    const places = new Set([...items, ...Array.from(state.out.values(), ({ item }) => item)].map(({ place }) => place))
    if (places.size < items.length + out.size || [...places].some((place) => place >= state.accepted)) {
      broken.push("I2: items have the place of another one, or of none that was accepted")
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
