/** The program of the thread that makes a snapshot (see `../compaction.ts`). It ends when the snapshot is written. */
import { Manager } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { parentPort, workerData } from "node:worker_threads"
import type { Answer, Order } from "../compaction.ts"
import { logOver } from "../sqliteFile.ts"

const { limits, port, realm }: Order = workerData

const main = Effect.gen(function*() {
  const log = yield* logOver(port)
  const snapshot = yield* Manager.makeSnapshot({ log, realm, limits })
  let bytes = 0
  const counted = Stream.tap(snapshot.bytes, (part) => Effect.sync(() => bytes += part.length))
  yield* log.putSnapshot(realm, { ...snapshot, bytes: counted })
  return { bytes }
}).pipe(
  Effect.scoped,
  Effect.catch(({ message }) => Effect.succeed({ issue: message })),
  Effect.catchDefect((defect) => Effect.succeed({ issue: String(defect) }))
)

Effect.runFork(Effect.map(main, (answer: Answer) => parentPort?.postMessage(answer, [])))
