/**
 * Signals that ask a program to end: Ctrl-C, a service manager's SIGTERM, and SIGHUP when a terminal is closed. They may
 * reach all processes of a program at once. Imports nothing, because the watchdog uses it, too.
 */

/** Does nothing for these signals from now on. By default Node ends the process. */
export const ignore = (): void => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {})
}

/** SIGHUP does what SIGTERM does. */
export const onHangUp = (): void => {
  process.emit("SIGTERM")
}

/** Signals within this time count as one: the terminal and npm may both send a Ctrl-C. */
const oneInterruptMs = 500

/** Milliseconds from a Ctrl-C until the program says why it still runs. */
const noticeMs = 1_000

/** The most workers that are named. */
const namedMax = 5

const notice = (workers: ReadonlyArray<string>): string => {
  const named = workers.length > namedMax ? [...workers.slice(0, namedMax), "…"] : workers
  const what = workers.length === 0 ? "" : ` and ${workers.length} workers (${named.join(", ")})`
  return `Ctrl-C: waiting for the finalizers of main${what}. Press Ctrl-C again to end at once\n`
}

/**
 * Handles the signals of a main program, besides its runtime, which interrupts `main` once. A second Ctrl-C exits without
 * waiting for finalizers: the manager follows its lifeline, and the watchdog kills the workers. Returns a function that
 * stops it.
 */
export const handle = (workers: () => ReadonlyArray<string>): () => void => {
  let first: number | undefined
  let timer: NodeJS.Timeout | undefined
  const onInterrupt = () => {
    const now = performance.now()
    first ??= now
    if (now - first >= oneInterruptMs) process.exit(130)
    timer ??= setTimeout(() => process.stderr.write(notice(workers())), noticeMs)
  }
  process.on("SIGINT", onInterrupt).on("SIGHUP", onHangUp)
  return () => {
    clearTimeout(timer)
    process.off("SIGINT", onInterrupt).off("SIGHUP", onHangUp)
  }
}
