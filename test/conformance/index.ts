/** Every suite, for one deployment of a manager. */
import { arraySuite } from "./array.ts"
import { barrierSuite } from "./barrier.ts"
import { bytesSuite } from "./bytes.ts"
import { conditionSuite } from "./condition.ts"
import { latchSuite } from "./latch.ts"
import { listSuite } from "./list.ts"
import { lockSuite } from "./lock.ts"
import { managerSuite } from "./manager.ts"
import { mapSuite } from "./map.ts"
import { namespaceSuite } from "./namespace.ts"
import { openNamespaceSuite } from "./openNamespace.ts"
import { queueSuite } from "./queue.ts"
import { refSuite } from "./ref.ts"
import { semaphoreSuite } from "./semaphore.ts"
import type { Deployment } from "./suite.ts"

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
  bytesSuite,
  managerSuite
]
