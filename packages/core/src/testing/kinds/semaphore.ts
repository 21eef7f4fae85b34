/** So many permits, some of them out. */
import * as Effect from "effect/Effect"
import { semaphore as kind } from "../../engine/kinds/semaphore.ts"
import type { Argument } from "../../engine/Value.ts"
import * as SharedSemaphore from "../../SharedSemaphore.ts"
import type { Actor } from "../Workload.ts"
import { type Answer, type Call, type Granted, holds, type Model, notHeld, type Reply } from "./Model.ts"
import { specimen } from "./Specimen.ts"

class SemaphoreModel implements Model {
  readonly unguarded = new Set(["acquire", "tryAcquire", "release"])
  readonly grants: Map<number, Granted>
  readonly #permits: number
  /** Permits by grant. */
  readonly #out: Map<number, number>

  constructor(permits: number, out?: ReadonlyMap<number, number>, grants?: ReadonlyMap<number, Granted>) {
    this.#permits = permits
    this.#out = new Map(out)
    this.grants = new Map(grants)
  }

  get #free(): number {
    return [...this.#out.values()].reduce((free, out) => free - out, this.#permits)
  }

  look({ args, operation, session }: Call): Answer | undefined {
    switch (operation) {
      case "acquire":
        return this.#excessive(args)
      case "tryAcquire":
        return this.#excessive(args) ??
          (Number(args[0]) > this.#free ? { reply: [] } : { reply: [], ifOthersWait: true })
      case "release":
        return holds(this, session, args[0]) ? undefined : notHeld
      case "available":
        return { reply: [this.#free] }
    }
    return undefined
  }

  change({ args, index, operation, session }: Call): Reply | undefined {
    const [number] = args
    switch (operation) {
      case "acquire":
      case "tryAcquire":
        if (Number(number) > this.#free) return undefined
        this.#out.set(index, Number(number))
        this.grants.set(index, { session, byReceipt: false })
        return [index]
      case "release":
        if (!holds(this, session, number)) return undefined
        this.revoke(Number(number))
        return []
    }
    return undefined
  }

  revoke(grant: number): void {
    this.#out.delete(grant)
    this.grants.delete(grant)
  }

  isPristine(): boolean {
    return this.#out.size === 0
  }

  state(): unknown {
    return [...this.#out].map(([grant, out]) => [grant, out, this.grants.get(grant)])
  }

  copy(): SemaphoreModel {
    return new SemaphoreModel(this.#permits, this.#out, this.grants)
  }

  #excessive([permits]: ReadonlyArray<Argument>): Answer | undefined {
    return Number(permits) > this.#permits ? { error: "TooManyPermits" } : undefined
  }
}

const permits = 3

/** Works while it has some of the permits. */
const occupy = (slots: SharedSemaphore.SharedSemaphore, { client, ledger, work }: Actor, number: number) =>
  Effect.acquireUseRelease(
    Effect.sync(() => ledger.occupy(slots, client, number, permits)),
    () => Effect.andThen(work(), slots.available),
    (leave) => Effect.sync(leave)
  )

/** The specimen of `Semaphore`. */
export const semaphore = specimen({
  kind,
  model: ({ permits }) => new SemaphoreModel(Number(permits)),
  samples: {
    slots: (name) => SharedSemaphore.make({ name, permits }),
    /** Kept until they are lost. */
    loans: (name) => SharedSemaphore.make({ name, permits, holdFor: "4 minutes" })
  },
  actions: {
    permits: ({ slots }, actor) => {
      const number = 1 + actor.random.below(permits)
      return actor.impatiently(slots.withPermits(number)(occupy(slots, actor, number)))
    },
    permitsIfAvailable: ({ slots }, actor) => {
      const number = actor.random.below(permits)
      return slots.withPermitsIfAvailable(number)(occupy(slots, actor, number))
    },
    keep: ({ loans }, { overstay }) => loans.withPermits(2)(overstay()),
    keepIfAvailable: ({ loans }, { overstay }) => loans.withPermitsIfAvailable(1)(overstay()),
    tooMany: ({ slots }) => Effect.flip(slots.withPermits(permits + 1)(Effect.void)),
    available: ({ slots }) => slots.available
  }
})
