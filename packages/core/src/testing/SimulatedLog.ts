/**
 * The log of a simulated manager, with the faults of a seed, and what must hold of it after the run.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Checkpoint from "../engine/Checkpoint.ts"
import type { Engine, EngineOptions } from "../engine/Engine.ts"
import { recover, type RecoverOptions } from "../server/recover.ts"
import { makeMemoryLog } from "./MemoryLog.ts"
import { Random } from "./Random.ts"

/** A log that is late, fails, or fails though it has done what it should. */
export class SimulatedLog {
  /** How a manager has this log. */
  readonly options: Pick<RecoverOptions, "log" | "realm" | "leader">
  #hasFaults = false

  constructor(seed: number) {
    const random = new Random(seed ^ 0x10f)
    const often = random.pick([0, 0.05, 0.3])
    const log = makeMemoryLog({
      fault: (operation) =>
        this.#hasFaults && (operation === "append" || operation === "confirm") && random.chance(often)
          ? random.pick(["unavailable", "unknown", "slow"])
          : undefined
    })
    this.options = { log, realm: "simulated", leader: { host: "manager", port: 0 } }
  }

  /** The manager has begun: from now on there are faults. */
  begin(): void {
    this.#hasFaults = true
  }

  /** How a manager that begins with this log differs from the one that has written it, as sentences. */
  differences(engine: Engine, options: Omit<EngineOptions, "epoch">): ReadonlyArray<string> {
    this.#hasFaults = false
    const recovered = Effect.runSyncExit(Effect.scoped(recover({ ...options, ...this.options, instance: "" })))
    if (Exit.isFailure(recovered)) return [`the log cannot be recovered: ${Cause.pretty(recovered.cause)}`]
    // The last turns may have brought nothing but the time. They are not in the log.
    const saved = ({ state }: Engine) => JSON.stringify(Checkpoint.save({ ...state, epoch: 0, now: 0 }))
    return saved(recovered.value.engine) === saved(engine)
      ? []
      : ["I1: a manager that begins with the log has another state"]
  }
}
