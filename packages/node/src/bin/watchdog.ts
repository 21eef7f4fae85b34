/**
 * Loaded before the program of a worker: a thread that ends the worker when its owner is gone.
 *
 * A worker in a busy loop cannot notice anything on its own thread. This one watches the lifeline, which is the
 * worker's standard input, gives the worker a moment to end by itself, and then kills its whole group, so that what
 * the worker had started goes with it.
 */
import { existsSync } from "node:fs"
import { enableCompileCache } from "node:module"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { isMainThread, Worker } from "node:worker_threads"

/** How long a worker may take to end by itself. */
const graceMs = 1_000

if (isMainThread) {
  // Every worker loads the same modules: the first one leaves them compiled for the others, where Node keeps such. Node
  // would also make the folder for temporary files, which is not for this package to make.
  if (existsSync(tmpdir())) enableCompileCache()
  new Worker(new URL(import.meta.url), { execArgv: [], stdin: false }).unref()
} else {
  const lifeline = new Net.Socket({ fd: 0, readable: true, writable: false })
  lifeline.on("error", () => {}).on("close", () => {
    setTimeout(() => process.kill(-process.pid, "SIGKILL"), graceMs)
  }).resume()
}
