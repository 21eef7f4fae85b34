/** The registry: every kind a manager knows. A new kind adds one line. */
import type { AnyKind } from "../Kind.ts"
import { array } from "./array.ts"
import { barrier } from "./barrier.ts"
import { condition } from "./condition.ts"
import { latch } from "./latch.ts"
import { list } from "./list.ts"
import { lock } from "./lock.ts"
import { queue } from "./queue.ts"
import { map, namespace, openNamespace, ref } from "./record.ts"
import { semaphore } from "./semaphore.ts"

/** The kinds of the standard manager. */
export const kinds: ReadonlyArray<AnyKind> = [
  ref,
  namespace,
  openNamespace,
  map,
  queue,
  lock,
  latch,
  barrier,
  semaphore,
  condition,
  list,
  array
]
