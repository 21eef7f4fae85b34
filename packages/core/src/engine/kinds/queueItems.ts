/**
 * The items of a queue (`queue.ts`): queued, out, dead, and how they get from one to the other.
 */
import * as Memory from "../Memory.ts"
import { type At, type GrantId, ready, refuse, wait } from "../Operation.ts"
import type { OrderedMap } from "../OrderedMap.ts"
import { type Argument, bytesMaxOf, type Cell } from "../Value.ts"
import type * as HoldFor from "./holdFor.ts"
import type * as Producers from "./producers.ts"

export interface Item {
  /** The number of items that were accepted before it. */
  readonly place: number
  readonly value: Cell
  /** Deliveries that ended without success. */
  attempts: number
}

/** An item that a grant has. */
export interface Out {
  readonly item: Item
  readonly leased: boolean
}

/** A dead letter. */
export interface Letter {
  /** Grows with every dead letter. */
  readonly id: number
  readonly item: Item
  readonly reason: string
}

/** *sliding* discards the oldest dead letter for one too many; *suspend* delivers no item while there is no room. */
export const strategies = ["sliding", "suspend"] as const

export interface State extends Producers.Produced, HoldFor.Bounded {
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

export const queued = (state: State): Array<Item> => state.items.slice(state.head) as Array<Item>

export const size = (state: State): number => state.items.length - state.head

export const closed = refuse("QueueClosed")

export const ifHeld = ({ out }: State, [lease]: readonly [GrantId, ...ReadonlyArray<unknown>], at: At) =>
  out.has(lease) && at.held(lease) !== undefined ? ready : refuse("NotHeld", lease)

/** Whether an item can be delivered now. */
export const canDeliver = (state: State): boolean =>
  size(state) > 0 && (state.deadLetterStrategy !== "suspend" || state.dead.size < state.deadLetterCapacity)

/** Items may come back to a closed queue while some are out. */
export const decideTake = (state: State) => {
  if (canDeliver(state)) return ready
  if (!state.closed || size(state) > 0 || state.out.size > 0) return wait
  return state.failed ? refuse("ProducerLost") : closed
}

export const room = (state: State): number => state.capacity - size(state) - state.leased

export const decideOffer = (state: State) => state.closed ? closed : room(state) > 0 ? ready : wait

/**
 * How long a queue may stand still, in milliseconds, while all its leases wait for it, before that is a deadlock: a process
 * may be about to take a queued item.
 */
export const patience = 2_000

/** Whether the queue is full, and nothing makes room: each lease is of an item for which an offer waits. */
export const isDeadlocked = (state: State, unchanged: number): boolean =>
  room(state) <= 0 && state.leased > 0 && state.stuck === state.leased && (size(state) === 0 || unchanged >= patience)

/** Counts an offer that begins or ends to wait, for each lease that it is made for. */
export const tally = (state: State, leases: ReadonlyArray<GrantId>, by: 1 | -1): void => {
  for (const lease of leases) {
    const before = state.waitingFor.get(lease) ?? 0
    if (before + by === 0) state.waitingFor.delete(lease)
    else state.waitingFor.set(lease, before + by)
    if ((before === 0 || before + by === 0) && state.out.get(lease)?.leased === true) state.stuck += by
  }
}

export const enqueue = (state: State, item: Cell): void => {
  state.items.push({ place: state.accepted++, value: item, attempts: 0 })
}

export const accept = (state: State, item: Cell, at: At): void => {
  at.retain(item)
  enqueue(state, item)
}

/** Takes the first item from the queue. */
export const shift = (state: State): Item => {
  const item = state.items[state.head]!
  state.items[state.head++] = undefined
  // Free slots are removed when they are the larger half: amortised O(1).
  if (state.head > 32 && state.head * 2 > state.items.length) {
    state.items.splice(0, state.head)
    state.head = 0
  }
  return item
}

export const deliver = (state: State, at: At, leased: boolean): Item => {
  const item = shift(state)
  state.out.set(at.index, { item, leased })
  if (leased) countLease(state, at.index, 1)
  return item
}

/** Takes an item from its grant. */
export const takeBack = (state: State, id: GrantId): Item => {
  const { item, leased } = state.out.get(id)!
  state.out.delete(id)
  if (leased) countLease(state, id, -1)
  return item
}

const countLease = (state: State, id: GrantId, by: 1 | -1): void => {
  state.leased += by
  if (state.waitingFor.has(id)) state.stuck += by
}

export const settle = (state: State, id: GrantId, at: At): void => {
  at.release(takeBack(state, id).value)
  state.settled++
}

/** Puts an item back to its old place (S-17). The cost is the number of older items that are queued, which are few. */
export const putBack = (state: State, item: Item): void => {
  let position = state.head
  while (position < state.items.length && state.items[position]!.place < item.place) position++
  if (position === state.head && state.head > 0) state.items[--state.head] = item
  else state.items.splice(position, 0, item)
}

/** Counts a failed delivery: the item comes back, or becomes a dead letter (S-19). */
export const failed = (state: State, item: Item, reason: string, at: At): void => {
  item.attempts++
  if (item.attempts >= state.attemptsMax) addLetter(state, item, reason, at)
  else putBack(state, item)
}

/** Adds a dead letter. If that is one too many, the oldest is discarded. */
export const addLetter = (state: State, item: Item, reason: string, at: At): void => {
  const id = ++state.died
  state.dead.set(id, { id, item, reason })
  at.grow(Memory.ofKey(reason))
  if (state.deadLetterStrategy === "suspend" || state.dead.size <= state.deadLetterCapacity) return
  const [oldest] = state.dead.after(0)
  at.release(removeLetter(state, oldest!.id, at))
}

export const discarded = ({ dead, died, ended }: State): number => died - dead.size - ended

/** Removes a dead letter and returns its value. */
export const removeLetter = (state: State, id: number, at: At): Cell => {
  const { item, reason } = state.dead.get(id)!
  state.dead.delete(id)
  at.grow(-Memory.ofKey(reason))
  return item.value
}

/**
 * Id, attempts, reason and value of each dead letter behind an id, up to another one. A value that does not fit into a
 * page beside its reason is left out, because both together may be more than a frame.
 */
export function* letters({ dead }: State, after: number, last: number, bytesMax: number): Generator<Argument> {
  for (const { id, item: { attempts, value }, reason } of dead.after(after)) {
    if (id > last) return
    yield* [id, attempts, reason]
    yield bytesMaxOf(reason) + bytesMaxOf(value) > bytesMax ? null : value
  }
}
