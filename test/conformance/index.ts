/** Every suite, for one deployment of a manager. */
import type { Deployment } from "./suite.ts"
import { arraySuite } from "./suites/array.ts"
import { barrierSuite } from "./suites/barrier.ts"
import { bytesSuite } from "./suites/bytes.ts"
import { conditionSuite } from "./suites/condition.ts"
import { latchSuite } from "./suites/latch.ts"
import { listSuite } from "./suites/list.ts"
import { lockSuite } from "./suites/lock.ts"
import { mapSuite } from "./suites/map.ts"
import { namespaceSuite } from "./suites/namespace.ts"
import { openNamespaceSuite } from "./suites/openNamespace.ts"
import { queueSuite } from "./suites/queue.ts"
import { refSuite } from "./suites/ref.ts"
import { semaphoreSuite } from "./suites/semaphore.ts"

/** Runs the suites of all kinds on a manager. */
export const conformance = (deployment: Deployment): void => {
  for (const suite of suites) suite(deployment)
}

const suites = [
  refSuite,
  namespaceSuite,
  openNamespaceSuite,
  mapSuite,
  queueSuite,
  lockSuite,
  latchSuite,
  barrierSuite,
  semaphoreSuite,
  conditionSuite,
  listSuite,
  arraySuite,
  bytesSuite
]
