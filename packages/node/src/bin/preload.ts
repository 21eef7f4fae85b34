/** Loaded in every worker before its program. */
import { isMainThread } from "node:worker_threads"
import * as CompileCache from "../compileCache.ts"
import { receiveInWorker } from "../inbox.ts"

if (isMainThread) {
  receiveInWorker()
  CompileCache.enable()
}
