/**
 * A shared barrier: a fixed number of parties wait for each other, round after round (S-15).
 *
 * The barrier breaks when a waiting or registered party is lost, because the others would wait forever for a party that
 * does not come. The error names the process that broke it.
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { barrier, BreakReason } from "./engine/kinds/barrier.ts"
import type { Argument } from "./engine/Value.ts"
import type { ManagerError } from "./ManagerError.ts"
import type { Manager } from "./proxy/Manager.ts"
import type { Refusals, Remote } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"
import { whileOpen } from "./proxy/whileOpen.ts"

/** The barrier is broken: not every party will come. No party waits at it until `reset` makes it usable again. */
export class BarrierBroken extends Schema.TaggedError<BarrierBroken>()("BarrierBroken", {
  barrier: Schema.String,
  /** The name of the process that broke it first. */
  by: Schema.String,
  pid: Schema.Number,
  /** What that process did, as a clause. */
  why: Schema.String
}) {
  override get message(): string {
    return `${this.barrier} was broken by ${this.by} (pid ${this.pid}): ${this.why}. No party waits at it: call reset ` +
      "before the parties start again"
  }
}

/** Every party of the barrier is registered already. Nothing was changed. */
export class BarrierFull extends Schema.TaggedError<BarrierFull>()("BarrierFull", {
  barrier: Schema.String,
  parties: Schema.Number
}) {
  override get message(): string {
    return `${this.barrier} already has its ${this.parties} registered parties. Register each party once, or make the ` +
      "barrier with more parties"
  }
}

/** The state of a barrier, as one atomic copy. */
export interface Status {
  /** How many parties the barrier was made for. */
  readonly parties: number
  /** How many parties of the current round wait. */
  readonly waiting: number
  readonly registered: number
  readonly isBroken: boolean
}

/** A shared barrier. */
export interface SharedBarrier extends Shared.Shared {
  /**
   * Waits until all parties wait, and returns this party's place in the order of arrival, from 0. The barrier is ready
   * for the next round at once: the next arrival belongs to the next generation.
   *
   * **Fairness** All parties are released in the step in which the last one arrives.
   *
   * **Cancellation** Interruptible, by a timeout too. An interrupted wait breaks the barrier for the other parties.
   *
   * **On disconnect** `ManagerError`. The other parties fail with `BarrierBroken`, which names the lost process.
   */
  readonly await: Effect.Effect<number, BarrierBroken | ManagerError>
  /**
   * Registers this process as a party for the life of the scope. The death of a registered party breaks the barrier
   * even while the party does not wait, and so does a scope that ends with a failure or an interruption. The loss of an
   * unregistered party is noticed only while it waits.
   *
   * **Fairness** Never waits. **Cancellation** Interruptible; then nothing is registered. **On disconnect**
   * `ManagerError`; the barrier breaks if the party was registered.
   */
  readonly register: Effect.Effect<void, BarrierFull | ManagerError, Scope.Scope>
  /** Breaks the barrier: every waiting party, and every arrival until `reset`, fails with `BarrierBroken`. */
  readonly abort: Effect.Effect<void, ManagerError>
  /** Makes the barrier usable again. Every waiting party fails with `BarrierBroken`. */
  readonly reset: Effect.Effect<void, ManagerError>
  /** Returns the state of the barrier, as one atomic copy. */
  readonly status: Effect.Effect<Status, ManagerError>
}

/** Options of a barrier. All programs that open a name must agree on them. */
export interface Options {
  /** How many parties wait for each other: a whole number of at least 1. */
  readonly parties: number
}

const kind = "Barrier"

const facade: Shared.Facade<SharedBarrier, typeof barrier> = {
  kind,
  proxy: (remote) => ({
    [Shared.TypeId]: remote,
    await: remote.call("await", [], ([place]) => Exit.succeed(place), whenBroken),
    register: register(remote),
    abort: remote.call("abort", [], () => Exit.void),
    reset: remote.call("reset", [], () => Exit.void),
    status: remote.call(
      "status",
      [],
      ([parties, waiting, registered, isBroken]) =>
        Exit.succeed({ parties, waiting, registered, isBroken: isBroken === 1 })
    )
  })
}

/**
 * Declares a named barrier as a service:
 * `class Round extends SharedBarrier.Service<Round>()("app/Round", { parties: 4 }) {}`.
 */
export const Service = <Self>() => <const Id extends string>(id: Id, options: Options) =>
  Shared.service<Self>()(id, facade, { options })

/** Opens a named barrier, or makes an unnamed one, for the life of the scope. */
export const make = (
  { name, parties }: Options & { readonly name?: string | undefined }
): Effect.Effect<SharedBarrier, Shared.OpenError, Manager | Scope.Scope> =>
  Shared.open(facade, { options: { parties } }, name)

/** The schema of a barrier's handle, for barriers inside payloads, items and values. */
export const schema = Shared.handleSchema(facade)

/** Whether a value is a `SharedBarrier`. */
export const isSharedBarrier = (u: unknown): u is SharedBarrier => Shared.isShared(kind)(u)

// internals

const reasons: Readonly<Record<BreakReason, string>> = {
  cancelled: "its wait was interrupted",
  "session ended": "its connection ended",
  deadline: "its deadline passed",
  "fenced out": "it waited under a lock that it had lost",
  aborted: "it called abort",
  reset: "it called reset",
  "a party failed": "the scope that it was registered in failed"
}

const whenBroken: Refusals<"BarrierBroken", BarrierBroken> = {
  BarrierBroken: ([by, pid, why]: ReadonlyArray<Argument>, barrier) =>
    new BarrierBroken({ barrier, by: String(by), pid: Number(pid), why: reasons[why as BreakReason] })
}

const whenFull: Refusals<"BarrierFull", BarrierFull> = {
  BarrierFull: ([parties], barrier) => new BarrierFull({ barrier, parties: Number(parties) })
}

const register = (remote: Remote<typeof barrier>): SharedBarrier["register"] =>
  whileOpen(
    (restore) => remote.callOwned(restore, "register", [], ([party]) => Exit.succeed(party), whenFull),
    (party, hasFailed) => remote.tell("leave", [party, hasFailed])
  )
