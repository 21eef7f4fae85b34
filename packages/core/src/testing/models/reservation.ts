/** Turns, as they should behave: one updater at a time, first come first served (S-28). */
import type { Argument } from "../../engine/Value.ts"
import type { Call, Granted } from "./Model.ts"

/** The turn of a record or a map. */
export class TurnModel {
  holder: number | undefined
  readonly grants: Map<number, Granted>

  constructor(holder?: number, grants?: ReadonlyMap<number, Granted>) {
    this.holder = holder
    this.grants = new Map(grants)
  }

  /** Whether a session's compare-and-set with this turn, or 0, has to let another one go first. */
  yields(session: number, turn: Argument | undefined): boolean {
    return this.holder !== undefined && (this.holder !== turn || this.grants.get(this.holder)?.session !== session)
  }

  begin({ index, session }: Call): number {
    this.holder = index
    this.grants.set(index, { session, byReceipt: false })
    return index
  }

  end(turn: Argument | undefined): void {
    if (this.holder !== turn || this.holder === undefined) return
    this.grants.delete(this.holder)
    this.holder = undefined
  }
}
