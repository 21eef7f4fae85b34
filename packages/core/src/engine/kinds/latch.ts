/**
 * Latch: callers wait while it is closed, and pass while it is open.
 */
import * as Format from "../Format.ts"
import { kindOf } from "../Kind.ts"
import { answer, operationsOf, ready, wait } from "../Operation.ts"

interface State {
  isOpen: boolean
  /** Waiters parked before this index are released, even while the latch is closed. */
  releasedAt: number
}

const { change, read } = operationsOf<State, "waiting">()

const operations = {
  /** Waits until it is open, or released. */
  await: read([], () => [], {
    lane: "waiting",
    decide: ({ isOpen, releasedAt }, _, { since }) => isOpen || since !== undefined && since < releasedAt ? ready : wait
  }),
  /** Replies with 1 if it was closed. */
  open: change({
    parameters: [],
    decide: ({ isOpen }) => isOpen ? answer(0) : ready,
    apply: (state): readonly [changed: number] => {
      state.isOpen = true
      return [1]
    }
  }),
  /** Replies with 1 if it was open. */
  close: change({
    parameters: [],
    decide: ({ isOpen }) => isOpen ? ready : answer(0),
    apply: (state): readonly [changed: number] => {
      state.isOpen = false
      return [1]
    }
  }),
  /** Releases all waiters and stays closed. Replies with 1 if it was closed. */
  release: change({
    parameters: [],
    decide: ({ isOpen }) => isOpen ? answer(0) : ready,
    apply: (state, _, at): readonly [changed: number] => {
      state.releasedAt = at.index
      return [1]
    }
  }),
  isOpen: read([], ({ isOpen }) => [isOpen ? 1 : 0] as const)
}

/** The kind behind `SharedLatch`. */
export const latch = kindOf<State>()({
  name: "Latch",
  lanes: ["waiting"],
  operations,
  options: {},
  initial: () => ({ isOpen: false, releasedAt: 0 }),
  pristine: ({ isOpen }) => !isOpen,
  values: () => [],
  version: 1,
  format: Format.struct({ isOpen: Format.boolean, releasedAt: Format.count }),
  check: () => []
})
