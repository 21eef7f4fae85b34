/**
 * Every export of every public module, and every method of every shared object. A user's compiler must be able to name
 * all their types. Otherwise it writes no declarations for a program that exports a result of them.
 */
import {
  Limits,
  Link,
  Log,
  Manager,
  ManagerError,
  Pool,
  Process,
  SharedArray,
  SharedBarrier,
  SharedCondition,
  SharedLatch,
  SharedList,
  SharedLock,
  SharedMap,
  SharedNamespace,
  SharedOpenNamespace,
  SharedQueue,
  SharedRef,
  SharedSemaphore,
  Task,
  TaskGroup
} from "@effect-multiprocessing/core"
import * as Testing from "@effect-multiprocessing/core/testing"
import { NodeLog, NodeManager, NodeProgress } from "@effect-multiprocessing/node"
import { PostgresLog } from "@effect-multiprocessing/postgres"
import type { Schema } from "effect"

export const exported = [
  { ...Limits },
  { ...Link },
  { ...Log },
  { ...Manager },
  { ...ManagerError },
  { ...NodeManager },
  { ...NodeLog },
  { ...NodeProgress },
  { ...Pool },
  { ...PostgresLog },
  { ...Process },
  { ...SharedArray },
  { ...SharedBarrier },
  { ...SharedCondition },
  { ...SharedLatch },
  { ...SharedList },
  { ...SharedLock },
  { ...SharedMap },
  { ...SharedNamespace },
  { ...SharedOpenNamespace },
  { ...SharedQueue },
  { ...SharedRef },
  { ...SharedSemaphore },
  { ...Task },
  { ...TaskGroup },
  { ...Testing }
] as const

/** The folder of the library. */
const id = "~@effect-multiprocessing/core/Shared"

export const array = ({ [id]: _, ...methods }: SharedArray.SharedArray<"uint8">) => methods
export const barrier = ({ [id]: _, ...methods }: SharedBarrier.SharedBarrier) => methods
export const condition = ({ [id]: _, ...methods }: SharedCondition.SharedCondition) => methods
export const latch = ({ [id]: _, ...methods }: SharedLatch.SharedLatch) => methods
export const list = ({ [id]: _, ...methods }: SharedList.SharedList<string>) => methods
export const lock = ({ [id]: _, ...methods }: SharedLock.SharedLock) => methods
export const map = ({ [id]: _, ...methods }: SharedMap.SharedMap<string, number>) => methods
export const namespace = ({ [id]: _, ...methods }: SharedNamespace.SharedNamespace<{ n: Schema.Int }>) => methods
export const field = ({ fields: { n } }: SharedNamespace.SharedNamespace<{ n: Schema.Int }>) => ({ ...n })
export const openNamespace = ({ [id]: _, ...methods }: SharedOpenNamespace.SharedOpenNamespace<number>) => methods
export const queue = ({ [id]: _, ...methods }: SharedQueue.SharedQueue<number>) => methods
export const ref = ({ [id]: _, ...methods }: SharedRef.SharedRef<Schema.Int>) => methods
export const semaphore = ({ [id]: _, ...methods }: SharedSemaphore.SharedSemaphore) => methods
