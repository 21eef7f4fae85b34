/** So many parties, of which each waits for all. */
import * as Effect from "effect/Effect"
import { barrier as kind } from "../../engine/kinds/barrier.ts"
import type { Withdrawal } from "../../engine/Operation.ts"
import type { Argument } from "../../engine/Value.ts"
import * as SharedBarrier from "../../SharedBarrier.ts"
import { type Answer, type Call, type Granted, holds, type Model, notHeld, type Reply } from "./Model.ts"
import { specimen } from "./Specimen.ts"

class BarrierModel implements Model {
  readonly unguarded = new Set(["leave"])
  readonly grants = new Map<number, Granted>()
  readonly #parties: number
  /** Those who wait, by the index at which each arrived. */
  #waiting: Array<number> = []
  /** Those who may pass, in order of arrival, and the next place among them. */
  #passing: Array<number> = []
  #place = 0
  #isBroken = false
  #resetAt = 0

  constructor(parties: number) {
    this.#parties = parties
  }

  look({ args, index, operation, session }: Call): Answer | undefined {
    switch (operation) {
      case "await":
        // In the step of a reset those who wait are turned away.
        return this.#isBroken || index === this.#resetAt ? { error: "BarrierBroken" } : undefined
      case "register":
        return this.grants.size < this.#parties ? undefined : { error: "BarrierFull" }
      case "leave":
        return holds(this, session, args[0]) ? undefined : notHeld
      case "status":
        return { reply: [this.#parties, this.#waiting.length, this.grants.size, this.#isBroken ? 1 : 0] }
    }
    return undefined
  }

  enter({ index }: Call): void {
    this.#waiting.push(index)
    if (this.#waiting.length < this.#parties) return
    this.#passing = this.#waiting
    this.#place = 0
    this.#waiting = []
  }

  withdraw({ since }: Call): void {
    this.#passing = this.#passing.filter((party) => party !== since)
    if (this.#waiting.includes(since!)) this.#break()
  }

  change(call: Call): Reply | undefined {
    const { args, index, operation, session, since } = call
    // Who passes does so whatever has become of the barrier since.
    if (operation === "await") return this.#pass(since)
    if (this.look(call) !== undefined) return undefined
    switch (operation) {
      case "register":
        this.grants.set(index, { session, byReceipt: false })
        return [index]
      case "leave":
        return this.#leave(args)
      case "abort":
        this.#break()
        return []
      case "reset":
        this.#waiting = []
        this.#isBroken = false
        this.#resetAt = index
        return []
    }
    return undefined
  }

  revoke(grant: number, reason: Withdrawal): void {
    this.grants.delete(grant)
    if (reason === "session ended") this.#break()
  }

  isPristine(): boolean {
    return !this.#isBroken
  }

  state(): unknown {
    return [this.#waiting, this.#passing, this.#isBroken, [...this.grants]]
  }

  copy(): BarrierModel {
    const copy = new BarrierModel(this.#parties)
    copy.#waiting = [...this.#waiting]
    copy.#passing = [...this.#passing]
    copy.#place = this.#place
    copy.#isBroken = this.#isBroken
    copy.#resetAt = this.#resetAt
    for (const [id, grant] of this.grants) copy.grants.set(id, grant)
    return copy
  }

  /** They pass in the order in which they arrived: the first one left has the next place. */
  #pass(since: number | undefined): Reply | undefined {
    if (since === undefined || this.#passing[0] !== since) return undefined
    this.#passing.shift()
    return [this.#place++]
  }

  #leave([party, hasFailed]: ReadonlyArray<Argument>): Reply {
    this.grants.delete(Number(party))
    if (hasFailed === 1) this.#break()
    return []
  }

  #break(): void {
    this.#isBroken = true
    this.#waiting = []
  }
}

/** The specimen of `Barrier`. */
export const barrier = specimen({
  kind,
  model: ({ parties }) => new BarrierModel(Number(parties)),
  harmless: {
    "await/refused-and-done": "it counts a place, and places are counted anew when a generation passes"
  },
  samples: { round: (name) => SharedBarrier.make({ name, parties: 2 }) },
  actions: {
    meet: ({ round }) => round.await,
    meetSoon: ({ round }, { impatiently }) => impatiently(round.await),
    party: ({ round }, { random, work }) =>
      Effect.scoped(Effect.andThen(round.register, random.chance(1 / 2) ? round.await : work())),
    failingParty: ({ round }, { work }) =>
      Effect.exit(Effect.scoped(Effect.all([round.register, work(), Effect.fail("no")]))),
    abort: ({ round }) => round.abort,
    reset: ({ round }) => round.reset,
    status: ({ round }) => round.status
  },
  // In turn: a party for the one that waits alone, and a whole barrier for those that come to a broken one.
  help: ({ round: barrier }, _, round) => [round % 2 === 0 ? barrier.await : barrier.reset]
})
