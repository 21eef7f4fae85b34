/** Loaded in every worker before its program. */
import { existsSync } from "node:fs"
import { enableCompileCache } from "node:module"
import { tmpdir } from "node:os"
import { isMainThread } from "node:worker_threads"
import { receiveInWorker } from "../inbox.ts"

if (isMainThread) {
  receiveInWorker()
  // Every worker loads the same modules, so the first one compiles them for all, in Node's compile cache. Enabling the
  // cache would create a missing folder for temporary files, which this package must not do.
  if (existsSync(tmpdir())) enableCompileCache()
}
