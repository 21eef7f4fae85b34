/** How an interrupted fiber waits for the fate of its call. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Call } from "./Call.ts"

/** How long it waits at most (S-10). */
export const settleTimeoutMs = 1_000

/** Waits for the fate of a cancelled call, at most `settleTimeoutMs`. */
export const settled = (call: Call, context: Context.Context<never>): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const timer = Effect.runForkWith(context)(Effect.sleep(settleTimeoutMs))
    timer.addObserver(() => resume(Effect.void))
    call.onSettled = () => {
      timer.interruptUnsafe()
      resume(Effect.void)
    }
  })
