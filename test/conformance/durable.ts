/** The suites on a manager that keeps its state in a log. */
import { engineKinds } from "#core/kind/EngineKind.ts"
import { type Log, Manager } from "@effect-multiprocessing/core"
import type { JournalEntry } from "@effect-multiprocessing/core/testing"
import { Effect, Layer, type Scope } from "effect"
import * as Memory from "../support/Memory.ts"
import { ownKinds } from "../support/ownKinds.ts"
import { sampledConformance } from "./index.ts"

/** Runs suites on managers with new logs. */
export const durableConformance = (
  name: string,
  programs: number,
  makeLog: Effect.Effect<Log.Log["Service"], unknown, Scope.Scope>
): void => {
  const make = (options: Memory.MemoryOptions) =>
    Effect.flatMap(makeLog, (log) => Memory.make({ ...options, log, judged: false }))
  const layer = (options: Memory.MemoryOptions) =>
    Layer.effect(
      Manager.Manager,
      Effect.map(Effect.flatMap(make(options), ({ connect }) => connect()), ({ manager }) => manager)
    )
  sampledConformance({
    name,
    layer: layer({}),
    ownKinds: layer({ kinds: engineKinds(ownKinds) }),
    programs,
    recorded: Effect.suspend(() => {
      const journal: Array<JournalEntry> = []
      return Effect.map(make({ journal: (entry) => journal.push(entry) }), ({ connect }) => ({
        connect: (client) => Effect.map(connect({ client }), ({ manager }) => manager),
        journal: Effect.sync(() => journal)
      }))
    })
  })
}
