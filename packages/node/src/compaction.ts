/**
 * Snapshots of a running manager. The manager never makes one itself, because it would stand still meanwhile: a thread steps
 * the log again, and writes the snapshot. Its transactions and the manager's appends are made by the thread of the file, in
 * the order in which they come.
 *
 * ```text
 *   manager ── append ────────────────────────┐
 *                                             ├─► thread of the file ─► file
 *   this thread: engine ── read, putSnapshot ─┘
 * ```
 *
 * A snapshot is due when the entries after the last one are many, and have as many bytes as it has: so a start steps again
 * at most about as much as it loads, and a state that is large is not written for every few changes.
 */

import type { Limits, Log } from "@effect-multiprocessing/core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { getHeapStatistics } from "node:v8"
import { type MessagePort, Worker } from "node:worker_threads"
import { program } from "./ownFile.ts"
import { reasonOf } from "./reason.ts"
import type { SqliteFile } from "./sqliteFile.ts"

/** What the thread is to do. */
export interface Order {
  /** A port to the thread of the file. */
  readonly port: MessagePort
  readonly realm: string
  readonly limits: Partial<Limits.Limits>
}

/** What the thread has done: the bytes of the snapshot, or the reason for which there is none. */
export type Answer = { readonly bytes: number } | { readonly issue: string }

/** How a log is compacted. */
export interface CompactionOptions extends Omit<Order, "port">, SqliteFile {
  /** The least entries that a snapshot replaces. Default: 10,000. */
  readonly entriesMin?: number | undefined
}

/** A log of built-in kinds that is compacted while its leader appends, for the life of the scope. */
export const compacted = Effect.fnUntraced(
  function*(
    { entriesMin = 10_000, limits, log, port, realm }: CompactionOptions
  ): Effect.fn.Return<Log.Log["Service"], never, Scope.Scope> {
    const findFile = yield* program("compactor")
    /** What was appended since the last snapshot was begun, and the bytes of that snapshot. */
    let entries = 0
    let bytes = 0
    let snapshotBytes = 0
    let due = Deferred.makeUnsafe<void>()
    const add = (count: number, size: number): void => {
      entries += count
      bytes += size
      if (entries >= entriesMin && bytes >= snapshotBytes) Deferred.doneUnsafe(due, Effect.void)
    }
    const compact = Effect.gen(function*() {
      yield* Deferred.await(due)
      due = Deferred.makeUnsafe()
      entries = 0
      bytes = 0
      snapshotBytes = yield* Effect.scoped(
        Effect.flatMap(port, (port) => makeSnapshot(findFile, { port, realm, limits }))
      )
    })
    yield* compact.pipe(
      Effect.catchDefect((defect) => Effect.fail(reasonOf(defect))),
      Effect.catch((issue) => Effect.logWarning(`No snapshot was made, so the log of the manager grows: ${issue}`)),
      Effect.forever,
      Effect.forkScoped
    )
    return {
      ...log,
      claim: Effect.fnUntraced(function*(realm, seen, leader) {
        const claimed = yield* log.claim(realm, seen, leader)
        if (Option.isNone(claimed)) return claimed
        const snapshot = yield* log.snapshot(realm)
        const { append, position } = claimed.value
        add(position - Option.match(snapshot, { onNone: () => 0, onSome: ({ position }) => position }), 0)
        return Option.some({
          ...claimed.value,
          append: (after, bytes) => Effect.tap(append(after, bytes), () => Effect.sync(() => add(1, bytes.length)))
        })
      })
    }
  }
)

// internals

/** Makes a snapshot in a thread, which has the memory that this one may have. Fails with a reason for people. */
const makeSnapshot = (findFile: () => string, order: Order): Effect.Effect<number, string> =>
  Effect.callback((resume) => {
    const worker = new Worker(findFile(), {
      workerData: order,
      transferList: [order.port],
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: getHeapStatistics().heap_size_limit / 2 ** 20 }
    })
    worker.on(
      "message",
      (answer: Answer) => resume("bytes" in answer ? Effect.succeed(answer.bytes) : Effect.fail(answer.issue))
    )
    worker.on("error", (error) => resume(Effect.fail(reasonOf(error))))
    worker.on("exit", () => resume(Effect.fail("its thread has ended")))
    // A program that has nothing else to do does not wait for it.
    worker.unref()
    return Effect.sync(() => void worker.terminate())
  })
