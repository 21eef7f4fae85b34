/**
 * The registry: a kind is known to managers, and to everything that tests kinds, by its line here. Nothing else names
 * it but its own files.
 */
export { actor } from "./actor.ts"
export { array } from "./array.ts"
export { barrier } from "./barrier.ts"
export { condition } from "./condition.ts"
export { latch } from "./latch.ts"
export { list } from "./list.ts"
export { lock } from "./lock.ts"
export { queue } from "./queue.ts"
export { readWriteLock } from "./readWriteLock.ts"
export { map, namespace, openNamespace, ref } from "./record.ts"
export { semaphore } from "./semaphore.ts"
