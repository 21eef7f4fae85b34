// Written by scripts/barrel.mjs, do not edit.
import { actor } from "./actor.ts"
import { array } from "./array.ts"
import { barrier } from "./barrier.ts"
import { condition } from "./condition.ts"
import { latch } from "./latch.ts"
import { list } from "./list.ts"
import { lock } from "./lock.ts"
import { map } from "./map.ts"
import { namespace } from "./namespace.ts"
import { openNamespace } from "./openNamespace.ts"
import { queue } from "./queue.ts"
import { readWriteLock } from "./readWriteLock.ts"
import { ref } from "./ref.ts"
import { semaphore } from "./semaphore.ts"
import type { Specimen } from "./Specimen.ts"

/** The specimen of every kind. */
export const specimens: ReadonlyArray<Specimen> = [
  actor,
  array,
  barrier,
  condition,
  latch,
  list,
  lock,
  map,
  namespace,
  openNamespace,
  queue,
  readWriteLock,
  ref,
  semaphore
]
