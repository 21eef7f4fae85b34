/** The journal of a realm, made again from its log: every change that the log has, and no other. */
import { kinds } from "#core/engine/kinds/index.ts"
import { engineKinds } from "#core/kind/EngineKind.ts"
import * as Replay from "#core/server/Replay.ts"
import { Limits, type Log } from "@effect-multiprocessing/core"
import type { JournalEntry } from "@effect-multiprocessing/core/testing"
import { Effect } from "effect"
import { ownKinds } from "./ownKinds.ts"

/** Steps the whole log of a realm, which must have no snapshot. */
export const journalOf = Effect.fnUntraced(function*(log: Log.Log["Service"], realm: string) {
  const journal: Array<JournalEntry> = []
  const replay = yield* Replay.begin({
    epoch: 0,
    kinds: [...kinds, ...engineKinds(ownKinds)],
    limits: Limits.defaults,
    journal: (entry) => journal.push(entry),
    log,
    realm,
    instance: ""
  })
  yield* replay.advance
  return { journal, engine: replay.engine }
})
