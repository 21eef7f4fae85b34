/**
 * Latch: closed it makes everybody wait, open it lets everybody through.
 */
import * as Format from "../Format.ts"
import { kindOf } from "../Kind.ts"
import { answer, operationsOf, ready, wait } from "../Operation.ts"

interface State {
  isOpen: boolean
  /** Who began to wait before this index was let through, open or not. */
  releasedAt: number
}

const { change, read } = operationsOf<State, "waiting">()

const operations = {
  /** Waits until it is open, or released. */
  await: read([], () => [], {
    lane: "waiting",
    decide: ({ isOpen, releasedAt }, _, { since }) => isOpen || since !== undefined && since < releasedAt ? ready : wait
  }),
  /** Replies whether it was closed. */
  open: change({
    parameters: [],
    decide: ({ isOpen }) => isOpen ? answer(0) : ready,
    apply: (state): readonly [changed: number] => {
      state.isOpen = true
      return [1]
    }
  }),
  /** Replies whether it was open. */
  close: change({
    parameters: [],
    decide: ({ isOpen }) => isOpen ? ready : answer(0),
    apply: (state): readonly [changed: number] => {
      state.isOpen = false
      return [1]
    }
  }),
  /** Lets through those who wait, and stays closed. Replies whether it was closed. */
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
