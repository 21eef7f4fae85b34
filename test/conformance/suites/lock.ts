import { SharedLock } from "@effect-multiprocessing/core"
import { locking } from "../hold.ts"
import { suite } from "../suite.ts"

/** `SharedLock`. */
export const lockSuite = suite("SharedLock", (it) => locking(it, SharedLock.make()))
