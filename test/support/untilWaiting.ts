import * as Remote from "#core/proxy/Remote.ts"
import { Manager, SharedLock } from "@effect-multiprocessing/core"
import { Effect } from "effect"

/** Waits until a number of calls wait in the manager for an object. */
export const untilWaiting = (object: Remote.Shared, waiters: number) =>
  SharedLock.unguarded(Effect.flatMap(Manager.Manager, ({ inspect }) =>
    Effect.repeat(inspect, {
      until: ({ objects }) =>
        objects.find(({ id }) => id === object[Remote.TypeId].target.id)?.waiters.length === waiters
    })))
