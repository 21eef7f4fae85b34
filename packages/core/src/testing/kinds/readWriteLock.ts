/** Held by readers, or by one writer, or free. */
import * as Effect from "effect/Effect"
import { readWriteLock as kind } from "../../engine/kinds/readWriteLock.ts"
import type { Argument } from "../../engine/Value.ts"
import * as SharedReadWriteLock from "../../SharedReadWriteLock.ts"
import type { Actor } from "../Workload.ts"
import { type Answer, type Call, type Granted, holds, isFinal, type Model, notHeld, type Reply } from "./Model.ts"
import { specimen } from "./Specimen.ts"

class ReadWriteLockModel implements Model {
  readonly unguarded = new Set(["acquire", "tryAcquire", "release"])
  readonly grants: Map<number, Granted>
  readonly #modes: Map<number, Argument>

  constructor(modes?: ReadonlyMap<number, Argument>, grants?: ReadonlyMap<number, Granted>) {
    this.#modes = new Map(modes)
    this.grants = new Map(grants)
  }

  look({ args: [first], operation, session }: Call): Answer | undefined {
    switch (operation) {
      case "tryAcquire":
        return this.#admits(first) ? { reply: [], ifOthersWait: true } : { reply: [] }
      case "release":
        return holds(this, session, first) ? undefined : notHeld
      case "status": {
        const modes = [...this.#modes.values()]
        return { reply: ["read", "write"].map((mode) => modes.filter((held) => held === mode).length) }
      }
    }
    return undefined
  }

  change(call: Call): Reply | undefined {
    if (isFinal(this.look(call))) return undefined
    const { args: [first], index, operation, session } = call
    if (operation === "release") {
      this.revoke(Number(first))
      return []
    }
    if (!this.#admits(first)) return undefined
    this.#modes.set(index, first!)
    this.grants.set(index, { session, byReceipt: false })
    return [index]
  }

  revoke(grant: number): void {
    this.#modes.delete(grant)
    this.grants.delete(grant)
  }

  isPristine(): boolean {
    return this.#modes.size === 0
  }

  state(): unknown {
    return [[...this.#modes], [...this.grants]]
  }

  copy(): ReadWriteLockModel {
    return new ReadWriteLockModel(this.#modes, this.grants)
  }

  #admits(mode: Argument | undefined): boolean {
    return mode === "read" ? ![...this.#modes.values()].includes("write") : this.#modes.size === 0
  }
}

/** More than there ever are. */
const readersMax = 1_000

/** Works as one of the readers, or where no other client may be. */
const occupy = (
  lock: SharedReadWriteLock.SharedReadWriteLock,
  { client, ledger, work }: Actor,
  mode: "read" | "write"
) =>
  Effect.acquireUseRelease(
    Effect.sync(() => ledger.occupy(lock, client, mode === "read" ? 1 : readersMax, readersMax)),
    () => Effect.andThen(work(), lock.readers),
    (leave) => Effect.sync(leave)
  )

/** The specimen of `ReadWriteLock`. */
export const readWriteLock = specimen({
  kind,
  model: () => new ReadWriteLockModel(),
  harmless: { "release/refused-and-done": "a client releases no hold of another one, and its own only once" },
  samples: {
    index: (name) => SharedReadWriteLock.make({ name }),
    /** Kept until it is lost. */
    loan: (name) => SharedReadWriteLock.make({ name, holdFor: "4 minutes" })
  },
  actions: {
    read: ({ index }, actor) => actor.impatiently(index.withReadLock(occupy(index, actor, "read"))),
    readToo: ({ index }, actor) => actor.impatiently(index.withReadLock(occupy(index, actor, "read"))),
    write: ({ index }, actor) => actor.impatiently(index.withWriteLock(occupy(index, actor, "write"))),
    readIfAvailable: ({ index }, actor) => index.withReadLockIfAvailable(occupy(index, actor, "read")),
    writeIfAvailable: ({ index }, actor) => index.withWriteLockIfAvailable(occupy(index, actor, "write")),
    keepReading: ({ loan }, { overstay }) => loan.withReadLock(overstay()),
    keepWriting: ({ loan }, { overstay }) => loan.withWriteLock(overstay()),
    reenter: ({ index }) => Effect.flip(index.withReadLock(Effect.flip(index.withWriteLock(Effect.void)))),
    isWriting: ({ index }) => index.isWriting
  }
})
