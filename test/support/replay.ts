/** The engine to which a log leads, as the release that is tested steps it, with every change on the way. */
import { kinds } from "#core/engine/kinds/index.ts"
import * as Replay from "#core/server/Replay.ts"
import { Limits, type Log } from "@effect-multiprocessing/core"
import type { JournalEntry } from "@effect-multiprocessing/core/testing"

/** Begins with the snapshot of a log; `advance` steps the entries after it. */
export const beginReplay = (
  log: Log.Log["Service"],
  realm: string,
  journal: (entry: JournalEntry) => void
): ReturnType<typeof Replay.begin> =>
  Replay.begin({ log, realm, journal, instance: "", epoch: 0, kinds, limits: Limits.defaults })
