/** The registry: the model of every kind that has one. A new kind adds one line. */
import { makeArray } from "./array.ts"
import { makeBarrier } from "./barrier.ts"
import { makeCondition } from "./condition.ts"
import { makeLatch } from "./latch.ts"
import { makeList } from "./list.ts"
import { makeLock } from "./lock.ts"
import type { MakeModel } from "./Model.ts"
import { makeQueue } from "./queue.ts"
import { makeClosed, makeOpen } from "./record.ts"
import { makeSemaphore } from "./semaphore.ts"

/** How an object of a kind should behave. */
export const models: Readonly<Record<string, MakeModel>> = {
  Ref: makeClosed,
  Namespace: makeClosed,
  OpenNamespace: makeOpen,
  Map: makeOpen,
  Queue: makeQueue,
  Lock: makeLock,
  Latch: makeLatch,
  Barrier: makeBarrier,
  Semaphore: makeSemaphore,
  Condition: makeCondition,
  List: makeList,
  Array: makeArray
}
