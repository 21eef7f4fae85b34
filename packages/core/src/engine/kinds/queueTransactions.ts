/**
 * The operations by which a transaction uses a queue: it reads the first items, and its commit takes them, offers others and
 * acknowledges a lease in one change. An item is known by its place, which no other item ever has.
 */
import { answer, type At, type GrantId, type Instant, operationsOf, ready, refuse, wait } from "../Operation.ts"
import { count, countOrNothing, value } from "../Parameter.ts"
import type { Argument, Cell } from "../Value.ts"
import { accept, canDeliver, closed, decideTake, ifHeld, room, settle, shift, size, type State } from "./queueItems.ts"

const { change, read } = operationsOf<State, "conditions" | "putters">()

/** The number of items that can be taken now. */
const deliverable = (state: State): number => canDeliver(state) ? size(state) : 0

/** Whether the first items are still these, by place, and with nothing at the end no other ones. */
const isUnchanged = (state: State, places: ReadonlyArray<Argument>): boolean =>
  places.every((place, i) =>
    place === null ? deliverable(state) === i : i < deliverable(state) && state.items[state.head + i]!.place === place
  )

/** Nothing comes any more: a taker would be refused. */
const isOver = (state: State): boolean => decideTake(state)._tag === "Refuse"

const decideCommit = (
  state: State,
  [lease, taken, ...offered]: readonly [GrantId, number, ...ReadonlyArray<unknown>],
  at: At
): Instant<"NotHeld" | "Conflict" | "QueueClosed" | "Full" | "OverCapacity"> => {
  if (lease > 0 && ifHeld(state, [lease], at)._tag === "Refuse") return refuse("NotHeld", lease)
  if (taken > deliverable(state)) return refuse("Conflict")
  if (offered.length === 0) return lease > 0 || taken > 0 ? ready : answer()
  if (state.closed) return closed
  if (offered.length > state.capacity) return refuse("OverCapacity", state.capacity)
  const freed = taken + (lease > 0 ? 1 : 0)
  return at.isBehind || room(state) + freed < offered.length ? refuse("Full") : ready
}

const commit = (state: State, lease: GrantId, taken: number, offered: ReadonlyArray<Cell>, at: At): void => {
  if (lease > 0) {
    at.settle(lease)
    settle(state, lease, at)
  }
  for (let i = 0; i < taken; i++) at.release(shift(state).value)
  state.settled += taken
  for (const item of offered) accept(state, item, at)
}

/** Of transactions. */
export const operations = {
  /** Replies with place and value of an item, by the number of those before it; with nothing if there is none. */
  peek: read([count], (state, [before]): readonly [] | readonly [place: number, item: Cell] => {
    if (before >= deliverable(state)) return []
    const { place, value } = state.items[state.head + before]!
    return [place, value]
  }, {
    decide: (state) => {
      const decision = decideTake(state)
      return decision._tag === "Refuse" ? decision : ready
    }
  }),
  /** The places of the first items, and nothing if there are no others: refused if it is otherwise. */
  check: read([], () => [], {
    rest: [countOrNothing],
    decide: (state, places) => isUnchanged(state, places) ? ready : refuse("Conflict")
  }),
  /** Waits until `check` would be refused, or no item will come. */
  untilChanged: read([], () => [], {
    rest: [countOrNothing],
    lane: "conditions",
    decide: (state, places) => isUnchanged(state, places) && !isOver(state) ? wait : ready
  }),
  /** Waits until there is room for a number of items, or the queue is closed. */
  untilRoom: read([count], () => [], {
    lane: "putters",
    decide: (state, [items], at) => state.closed || !at.isBehind && room(state) >= items ? ready : wait
  }),
  /** Acknowledges a lease, if it is none of 0, and takes a number of the first items for good. */
  commit: change({
    parameters: [count, count],
    decide: decideCommit,
    apply: (state, [lease, taken], at) => {
      commit(state, lease, taken, [], at)
      return []
    }
  }),
  /** As `commit`, and adds items. Refused if there is no room, or other offers wait for it. */
  commitOffers: change({
    parameters: [count, count],
    rest: [value],
    lane: "putters",
    decide: decideCommit,
    apply: (state, [lease, taken, ...offered], at) => {
      // The parameters have recognised each of them as a value.
      commit(state, lease, taken, offered as ReadonlyArray<Argument> as ReadonlyArray<Cell>, at)
      return []
    }
  })
}
