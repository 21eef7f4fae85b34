/**
 * A thread that kills a worker whose owner has ended. It is loaded before the worker's program.
 *
 * A worker in a busy loop cannot notice the end of its owner on its own thread. This thread watches the lifeline, which
 * is the worker's standard input. When it closes, the worker has a second to end by itself; then its process group is
 * killed, and with it every process that the worker had started.
 */
import { existsSync } from "node:fs"
import { enableCompileCache } from "node:module"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { isMainThread, Worker } from "node:worker_threads"

/** Milliseconds for a worker to end by itself. */
const graceMs = 1_000

if (isMainThread) {
  // Every worker loads the same modules, so the first one compiles them for all, in Node's compile cache. Enabling the
  // cache would create a missing folder for temporary files, which this package must not do.
  if (existsSync(tmpdir())) enableCompileCache()
  new Worker(new URL(import.meta.url), { execArgv: [], stdin: false }).unref()
} else {
  const lifeline = new Net.Socket({ fd: 0, readable: true, writable: false })
  lifeline.on("error", () => {}).on("close", () => {
    setTimeout(() => process.kill(-process.pid, "SIGKILL"), graceMs)
  }).resume()
}
