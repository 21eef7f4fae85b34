/** Held by one, or free. */
import * as Effect from "effect/Effect"
import { lock as kind } from "../../engine/kinds/lock.ts"
import type { Withdrawal } from "../../engine/Operation.ts"
import * as SharedLock from "../../SharedLock.ts"
import type { Actor } from "../Workload.ts"
import { type Answer, type Call, type Granted, holds, isFinal, type Model, notHeld, type Reply } from "./Model.ts"
import { specimen } from "./Specimen.ts"

/** A lock, also that of a condition. */
export class LockModel implements Model {
  readonly grants: Map<number, Granted>
  readonly unguarded = new Set(["acquire", "tryAcquire", "release"])
  #abandoned: boolean

  constructor(grants?: ReadonlyMap<number, Granted>, abandoned = false) {
    this.grants = new Map(grants)
    this.#abandoned = abandoned
  }

  look({ args, operation, session }: Call): Answer | undefined {
    switch (operation) {
      case "tryAcquire":
        return this.grants.size > 0 ? { reply: [] } : { reply: [], ifOthersWait: true }
      case "release":
        return holds(this, session, args[0]) ? undefined : notHeld
      case "isHeld":
        return { reply: [this.grants.size] }
    }
    return undefined
  }

  change(call: Call): Reply | undefined {
    if (isFinal(this.look(call))) return undefined
    const { args, index, operation, session } = call
    switch (operation) {
      case "acquire":
      case "tryAcquire": {
        if (this.grants.size > 0) return undefined
        this.grants.set(index, { session, byReceipt: false })
        return [index, this.#abandoned ? 1 : 0]
      }
      case "release":
        this.grants.delete(Number(args[0]))
        this.#abandoned = false
        return []
    }
    return undefined
  }

  revoke(grant: number, reason: Withdrawal): void {
    this.grants.delete(grant)
    if (reason !== "cancelled") this.#abandoned = true
  }

  isPristine(): boolean {
    return this.grants.size === 0 && !this.#abandoned
  }

  state(): unknown {
    return [[...this.grants], this.#abandoned]
  }

  copy(): LockModel {
    return new LockModel(this.grants, this.#abandoned)
  }
}

/** Works where no other client may be. */
const occupy = (gate: SharedLock.SharedLock, { client, ledger, work }: Actor) =>
  Effect.acquireUseRelease(Effect.sync(() => ledger.occupy(gate, client, 1, 1)), work, (leave) => Effect.sync(leave))

/** The specimen of `Lock`. */
export const lock = specimen({
  kind,
  model: () => new LockModel(),
  samples: {
    gate: (name) => SharedLock.make({ name }),
    hatch: (name) => SharedLock.make({ name, holdFor: "4 minutes" })
  },
  actions: {
    lock: ({ gate }, actor) => actor.impatiently(gate.withLock(occupy(gate, actor))),
    lockIfAvailable: ({ gate }, actor) => gate.withLockIfAvailable(occupy(gate, actor)),
    nest: ({ gate, hatch }, actor) => gate.withLock(hatch.withHold(() => occupy(gate, actor))),
    /** Until it is lost. Then the next client may hold it before this one has heard of its loss: it occupies no place. */
    hold: ({ hatch }, { overstay }) => hatch.withLock(overstay()),
    holdIfAvailable: ({ hatch }, { overstay }) => hatch.withLockIfAvailable(overstay()),
    reenter: ({ gate }) => Effect.flip(gate.withLock(Effect.flip(gate.withLock(Effect.void)))),
    isHeld: ({ gate }) => gate.isHeld
  }
})
