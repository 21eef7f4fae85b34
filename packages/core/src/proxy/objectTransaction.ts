/**
 * An object of an own kind in a transaction: the manager runs its operations on the state as it is, and stores nothing
 * before the transaction commits. It then runs them once more, with the time and index of the first one.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Semaphore from "effect/Semaphore"
import type { Argument, Cell } from "../engine/Value.ts"
import { checkOperation, commitOperation, tryOperation, untilChangedOperation } from "../kind/names.ts"
import type { ManagerError } from "../ManagerError.ts"
import type { OwnRemote } from "./ownRemote.ts"
import { type Part, type Transaction, type TransactionLog, withPart } from "./TransactionLog.ts"

/** How the transition of an operation ended, with the value if it has one. */
export interface Ended {
  readonly isFailed: boolean
  readonly cell: Cell | undefined
}

class ObjectPart implements Part {
  readonly #remote: OwnRemote
  readonly #log: TransactionLog
  /** The version of the state that was read, and the time and index that its transitions see. */
  #seen: { readonly version: number; readonly now: number; readonly index: number } | undefined
  /** The operations that have changed the state, each with its payload. */
  #written: ReadonlyArray<Argument> = []
  /** The first time at which a transition that waits wants to run again. */
  #until: number | null = null
  /** The operations of several fibers run one after the other: each runs on the state that the others have made. */
  readonly #serially = Semaphore.makeUnsafe(1)

  constructor(remote: OwnRemote, log: TransactionLog) {
    this.#remote = remote
    this.#log = log
  }

  call(name: string, payload: Cell | undefined): Effect.Effect<Ended, ManagerError> {
    return this.#serially.withPermits(1)(Effect.suspend(() => {
      const { index = null, now = null } = this.#seen ?? {}
      const operation = [name, payload ?? null]
      const read = this.#remote.prepared(tryOperation, [now, index, ...this.#written, ...operation])
      const tried = this.#log.read([read], ([reply]) => {
        const [version, now, index, outcome, result] = reply!
        this.#seen = { version: Number(version), now: Number(now), index: Number(index) }
        if (outcome === "Done") this.#written = [...this.#written, ...operation]
        return [outcome, result] as const
      })
      return Effect.flatMap(tried, ([outcome, result]) => {
        if (outcome === "Waiting") {
          if (typeof result === "number") this.#until = Math.min(result, this.#until ?? result)
          return this.#log.giveUp("retry")
        }
        // A transition has returned a value, or nothing.
        return Effect.succeed({ isFailed: outcome === "Failed", cell: result as Cell | undefined })
      })
    }))
  }

  checks() {
    return this.#seen === undefined ? [] : [this.#remote.prepared(checkOperation, [this.#seen.version])]
  }

  writes() {
    if (this.#written.length === 0) return []
    const { index, now } = this.#seen!
    return [this.#remote.prepared(commitOperation, [now, index, ...this.#written])]
  }

  waits() {
    return this.#seen === undefined
      ? []
      : [this.#remote.call(untilChangedOperation, [this.#seen.version, this.#until], () => Exit.void)]
  }

  save() {
    const saved = this.#written
    return () => {
      this.#written = saved
    }
  }
}

/** Makes a call in a transaction. */
export const callInTransaction = (
  remote: OwnRemote,
  name: string,
  payload: Cell | undefined
): Effect.Effect<Ended, ManagerError, Transaction> =>
  withPart(remote, (log) => new ObjectPart(remote, log), (part) => part.call(name, payload))
