/** Loaded in every worker before its program. */
import { isMainThread } from "node:worker_threads"
import * as CompileCache from "../compileCache.ts"
import "../inbox.ts"

if (isMainThread) CompileCache.enable()
