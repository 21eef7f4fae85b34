import { Manager } from "@effect-multiprocessing/core"
import type { JournalEntry } from "@effect-multiprocessing/core/testing"
import { Effect } from "effect"
import { budget } from "../support/budget.ts"
import * as Memory from "../support/Memory.ts"
import { ownKinds } from "../support/ownKinds.ts"
import { conformance } from "./index.ts"

conformance({
  name: "in memory",
  layer: Manager.layerMemory,
  ownKinds: Manager.layerMemoryWith({ kinds: ownKinds }),
  programs: budget(100),
  recorded: Effect.suspend(() => {
    const journal: Array<JournalEntry> = []
    return Effect.map(Memory.make({ journal: (entry) => journal.push(entry) }), ({ connect }) => ({
      connect: (client) => Effect.map(connect({ client }), ({ manager }) => manager),
      journal: Effect.sync(() => journal)
    }))
  })
})
