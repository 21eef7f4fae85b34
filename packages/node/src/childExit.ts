/**
 * Notices that a child has ended, and how. A manager notices the death of a client apart from this, by the end of its
 * connection (`server/Accept.ts` of the core package).
 */
import * as Effect from "effect/Effect"
import type { ChildProcessHandle } from "effect/process/ChildProcessSpawner"

/** How a child ended. */
export interface ExitStatus {
  readonly code: number | null
  readonly signal: string | null
}

/** Waits until a child has ended. The spawner reports a signal only in the text of an error. */
export const exitOf = (handle: ChildProcessHandle): Effect.Effect<ExitStatus> =>
  handle.exitCode.pipe(
    Effect.map((code): ExitStatus => ({ code, signal: null })),
    Effect.catch((error) =>
      Effect.succeed({ code: null, signal: /SIG[A-Z0-9]+/.exec(String(error.cause))?.[0] ?? null })
    )
  )
