/** A hash of everything that decides what a manager does: equal inputs must give equal hashes (I1). */
import * as Checkpoint from "./Checkpoint.ts"
import type { EngineState } from "./State.ts"

/** FNV-1a over the code units of the saved state and its limits, 32 bits in hexadecimal. */
export const hash = (state: EngineState): string => {
  let hash = 0x811c9dc5
  const text = JSON.stringify([state.limits, Checkpoint.save(state)])
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, "0")
}
