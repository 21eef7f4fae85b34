/**
 * A barrier between processes: so many parties, of which each waits for all, again and again (S-15).
 *
 * It breaks when one of those who wait is gone, so that nobody waits for a party that will not come; and it says who
 * broke it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { barrier, BreakReason } from "./engine/kinds/barrier.ts"
import type { Argument } from "./engine/Value.ts"
import type { ManagerError } from "./ManagerError.ts"
import type { Manager } from "./proxy/Manager.ts"
import type { Refusals, Remote } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"

/** The barrier is broken: not all parties will come. Nobody waits at it; `reset` makes it whole. */
export class BarrierBroken extends Schema.TaggedError<BarrierBroken>()("BarrierBroken", {
  barrier: Schema.String,
  /** The process that broke it. */
  by: Schema.String,
  pid: Schema.Number,
  why: Schema.String
}) {
  override get message(): string {
    return `${this.barrier} was broken by ${this.by} (pid ${this.pid}): ${this.why}. Nobody waits at it; reset it once ` +
      "all parties are to begin again"
  }
}

/** As many parties are registered as the barrier has. */
export class BarrierFull extends Schema.TaggedError<BarrierFull>()("BarrierFull", {
  barrier: Schema.String,
  parties: Schema.Number
}) {
  override get message(): string {
    return `${this.barrier} has its ${this.parties} registered parties. Make it with more, or register once in each`
  }
}

/** A barrier at an instant. */
export interface Status {
  readonly parties: number
  readonly waiting: number
  readonly registered: number
  readonly isBroken: boolean
}

/** A barrier between processes. */
export interface SharedBarrier extends Shared.Shared {
  /**
   * Waits until all parties wait; answers the place of this one among them, in order of arrival, from 0. A barrier is
   * used again at once: the next arrival belongs to the next generation.
   *
   * **Fairness** All parties go in the step in which the last one arrives.
   *
   * **Cancellation** Interruptible, by a timeout too: that breaks the barrier for the others, who count on this party.
   *
   * **On disconnect** `ManagerError`; for the others `BarrierBroken`, which names the process that is gone.
   */
  readonly await: Effect.Effect<number, BarrierBroken | ManagerError>
  /**
   * Is a party for the life of the scope: its death breaks the barrier even while it does not wait, and so does a scope
   * that ends with a failure or an interruption. Without it only those count who wait.
   */
  readonly register: Effect.Effect<void, BarrierFull | ManagerError, Scope.Scope>
  /** Breaks the barrier: whoever waits, and whoever comes until `reset`, fails with `BarrierBroken`. */
  readonly abort: Effect.Effect<void, ManagerError>
  /** Makes the barrier whole. Whoever waits fails with `BarrierBroken`. */
  readonly reset: Effect.Effect<void, ManagerError>
  /** How many parties there are, wait and are registered, and whether it is broken. */
  readonly status: Effect.Effect<Status, ManagerError>
}

/** What a barrier is made with. */
export interface Options {
  /** How many wait for each other, at least 1. */
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

/** Names a barrier as a service: `class Round extends SharedBarrier.Service<Round>()("app/Round", { parties: 4 }) {}`. */
export const Service = <Self>() => <const Id extends string>(id: Id, options: Options) =>
  Shared.service<Self>()(id, facade, { options })

/** Opens a barrier by name, or makes one without a name, for the life of the scope. */
export const make = (
  { name, parties }: Options & { readonly name?: string | undefined }
): Effect.Effect<SharedBarrier, Shared.OpenError, Manager | Scope.Scope> =>
  Shared.open(facade, { options: { parties } }, name)

/** A barrier's handle as a value. */
export const schema = Shared.handleSchema(facade)

/** Whether something is a barrier. */
export const isSharedBarrier = (u: unknown): u is SharedBarrier => Shared.isShared(kind)(u)

// internals

const reasons: Readonly<Record<BreakReason, string>> = {
  cancelled: "it did not wait any longer",
  "session ended": "it has gone",
  deadline: "its time was over",
  "fenced out": "it had lost its lock",
  aborted: "it aborted it",
  reset: "it reset it",
  "a party failed": "what it had registered for has failed"
}

const whenBroken: Refusals<"BarrierBroken", BarrierBroken> = {
  BarrierBroken: ([by, pid, why]: ReadonlyArray<Argument>, barrier) =>
    new BarrierBroken({ barrier, by: String(by), pid: Number(pid), why: reasons[why as BreakReason] })
}

const whenFull: Refusals<"BarrierFull", BarrierFull> = {
  BarrierFull: ([parties], barrier) => new BarrierFull({ barrier, parties: Number(parties) })
}

const register = (
  remote: Remote<typeof barrier>
): Effect.Effect<void, BarrierFull | ManagerError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const [party] = yield* remote.callOwned(restore, "register", [], (reply) => Exit.succeed(reply), whenFull)
      yield* Scope.addFinalizerExit(scope, (exit) =>
        // Told, not asked: a frozen manager holds nobody up.
        Effect.sync(() => remote.tell("leave", [party, Exit.isFailure(exit) ? 1 : 0])))
    })
  )
