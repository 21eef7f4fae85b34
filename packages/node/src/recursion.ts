/**
 * Ends a worker whose entry does not call `runMain`. It would run the whole program once more, and start a worker, which
 * would start a worker, without end.
 */
import * as Effect from "effect/Effect"
import * as Inbox from "./inbox.ts"

/** Before a manager or a process is started: ends this process if it is such a worker. */
export const refuse: Effect.Effect<void> = Effect.suspend(() => {
  if (!Inbox.isUntaken()) return Effect.void
  const message =
    `this process is a worker, and its entry ${process.argv[1]} starts a manager or a process before it ` +
    "has called NodeManager.runMain or built NodeManager.layerWorker. Give runMain or layerSpawner an entry that calls " +
    "NodeManager.runMain with the tasks\n"
  return Effect.callback<never>(() => {
    process.stderr.write(message, () => process.exit(1))
  })
})
