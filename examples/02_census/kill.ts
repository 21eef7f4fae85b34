/** Kills a worker on purpose, in the middle of its work. */
import { Manager } from "@effect-multiprocessing/core"
import { Effect } from "effect"
import { Files } from "./shared.ts"

/** The killed worker, and how many deliveries it held. */
export interface Killed {
  readonly name: string
  readonly pid: number
  readonly deliveries: number
}

/**
 * Kills the first worker that holds a delivery. The worker is frozen during the check, so it dies with exactly the
 * deliveries that were counted.
 */
export const killOne = Effect.fnUntraced(
  function*(workers: ReadonlyArray<{ readonly worker: string; readonly pid: number }>) {
    const manager = yield* Manager.Manager
    for (let i = 0;; i = (i + 1) % workers.length) {
      const { pid, worker } = workers[i]!
      process.kill(pid, "SIGSTOP")
      // The manager reads the messages that the worker sent before it froze; only then is the second copy exact.
      yield* manager.inspect
      const { objects } = yield* manager.inspect
      const queue = objects.find((object) => object.name === Files.key)
      const deliveries = queue?.holders.filter((holder) => holder.pid === pid).length ?? 0
      process.kill(pid, deliveries > 0 ? "SIGKILL" : "SIGCONT")
      if (deliveries > 0) return { name: worker, pid, deliveries } satisfies Killed
    }
  }
)
