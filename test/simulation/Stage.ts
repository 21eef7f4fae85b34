/**
 * A workload in a run. Its objects are there twice: *kept* ones, which every client has open all the time, and *passing*
 * ones, which are opened by name for one action, forgotten when nobody uses them, and deleted under those that do.
 *
 * An action may also run under the fence, a lock that is deleted as well, outlive it, or wait for its loss (S-21, S-22).
 */
import type { Ledger } from "#core/testing/Ledger.ts"
import { Actor, type AnyWorkload, type ObjectsOf, type Openers } from "#core/testing/Workload.ts"
import { Manager, SharedLock } from "@effect-multiprocessing/core"
import { type Client, Random } from "@effect-multiprocessing/core/testing"
import { Effect, type Scope } from "effect"

/** What a client does, or what helps it. */
type Deed = Effect.Effect<unknown, unknown, Manager.Manager | Scope.Scope>

const fence = SharedLock.make({ name: "fence" })

/** How long each kind of help is tried, in milliseconds. */
const helpMs = 10

/** In so many of all actions something else than a plain action on kept objects. */
const outOf = 24
const upTo = { remove: 2, passing: 6, underFence: 8, pastFence: 10, fenceLost: 11 }

/** One workload of a run, for all its clients. */
export class Stage {
  readonly name: string
  readonly #workload: AnyWorkload
  readonly #ledger: Ledger

  constructor(name: string, workload: AnyWorkload, ledger: Ledger) {
    this.name = name
    this.#workload = workload
    this.#ledger = ledger
  }

  /** Opens the kept objects for the life of the scope; returns how the client performs an action. */
  enter(client: Client) {
    return Effect.gen({ self: this }, function*() {
      const scope = yield* Effect.scope
      const kept = yield* this.#open("kept")
      return (action: string, random: Random): Deed => {
        const way = random.below(outOf)
        const actor = new Actor(client, this.#ledger, random)
        const act = (objects: ObjectsOf<Openers>): Deed =>
          Effect.suspend(() => this.#workload.actions[action]!(objects, actor))
        if (way < upTo.remove) return this.#removePassing
        if (way < upTo.passing) return Effect.flatMap(this.#open("passing"), act)
        if (way >= upTo.fenceLost) return act(kept)
        const underFence = way < upTo.underFence ?
          act(kept)
          : way < upTo.pastFence ?
          Effect.forkIn(Effect.scoped(Effect.andThen(actor.work(), act(kept))), scope)
          : Effect.never
        return Effect.flatMap(fence, ({ withLock }) => withLock(underFence))
      }
    })
  }

  /** Ends the waiting of all clients that wait for something in here. */
  help(client: Client, round: number) {
    const actor = new Actor(client, this.#ledger, new Random(round))
    return Effect.scoped(
      Effect.gen({ self: this }, function*() {
        const kept = yield* this.#open("kept")
        const helps = [...this.#workload.help?.(kept, actor, round) ?? [], this.#removePassing]
        yield* Effect.forEach(helps, (help) => Effect.ignore(Effect.timeoutOption(help, helpMs)), { discard: true })
      })
    )
  }

  #open(what: "kept" | "passing") {
    return Effect.all(
      Object.fromEntries(
        Object.entries(this.#workload.samples as Openers).map(([part, open]) => [
          part,
          open(`${this.name}.${part}, ${what}`)
        ])
      ),
      { concurrency: "unbounded" }
    )
  }

  /** Deletes the passing objects, and the fence. */
  get #removePassing() {
    return Effect.gen({ self: this }, function*() {
      const manager = yield* Manager.Manager
      const objects = [...Object.values(yield* this.#open("passing")), yield* fence]
      yield* Effect.forEach(objects, (object) => Effect.ignore(manager.remove(object)), { discard: true })
    })
  }
}
