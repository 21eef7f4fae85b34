/**
 * A workload in a run. Its objects exist twice: every client has the *kept* ones open all the time; the *passing* ones are
 * opened by name for one action, forgotten when no client uses them, and deleted under the clients that use them.
 */
import type { Holder, Ledger } from "#core/testing/Ledger.ts"
import { Actor, type AnyWorkload, type ObjectsOf, type Openers } from "#core/testing/Workload.ts"
import { Manager, SharedLock } from "@effect-multiprocessing/core"
import { Random } from "@effect-multiprocessing/core/testing"
import { Effect, type Scope } from "effect"

/** What a client does, or what helps it. */
type Deed = Effect.Effect<unknown, unknown, Manager.Manager | Scope.Scope>

const fence = SharedLock.make({ name: "fence" })

/** How long each kind of help is tried, in milliseconds. */
const helpMs = 10

/** The same, where an operation of a log may take a second, and be repeated. */
export const patientHelpMs = 5_000

/**
 * - *kept*: an action on kept objects; *passing*: on passing ones.
 * - *fenced*: under the fence, a lock that is deleted, too; *escaped*: begun under the fence, and going on after it (S-21).
 * - *fence*: holds the fence until it is lost (S-22).
 * - *remove*: deletes the passing objects and the fence.
 */
export type Way = keyof typeof weights

const weights = { kept: 13, passing: 4, fenced: 2, escaped: 2, fence: 1, remove: 2 }

/** Every way, as often as it is gone. */
export const ways: ReadonlyArray<Way> = Object.entries(weights).flatMap(([way, weight]) =>
  Array.from({ length: weight }, () => way as Way)
)

/** One workload of a run, for all its clients. */
export class Stage {
  readonly name: string
  readonly #workload: AnyWorkload
  readonly #ledger: Ledger
  readonly #sleepMaxMs: number | undefined
  /** How many actions have ended. */
  ended = 0

  constructor(name: string, workload: AnyWorkload, ledger: Ledger, sleepMaxMs?: number) {
    this.name = name
    this.#workload = workload
    this.#ledger = ledger
    this.#sleepMaxMs = sleepMaxMs
  }

  /** Opens the kept objects for the life of the scope; returns how the client performs an action. */
  enter(client: Holder) {
    return Effect.gen({ self: this }, function*() {
      const scope = yield* Effect.scope
      const kept = yield* this.#open("kept")
      return (action: string, way: Way, random: Random): Deed => {
        const actor = new Actor(client, this.#ledger, random, this.#sleepMaxMs)
        const act = (objects: ObjectsOf<Openers>): Deed =>
          Effect.ensuring(
            Effect.suspend(() => this.#workload.actions[action]!(objects, actor)),
            Effect.sync(() => this.ended++)
          )
        const underFence = (deed: Deed): Deed => Effect.flatMap(fence, ({ withLock }) => withLock(deed))
        switch (way) {
          case "kept":
            return act(kept)
          case "passing":
            return Effect.flatMap(this.#open("passing"), act)
          case "fenced":
            return underFence(act(kept))
          case "escaped":
            return underFence(escape(Effect.forkIn(Effect.scoped(act(kept)), scope), actor))
          case "fence":
            return underFence(Effect.never)
          case "remove":
            return this.#removePassing
        }
      }
    })
  }

  /** Ends the waiting of all clients that wait for something in here. */
  help(client: Holder, round: number, tryMs = helpMs) {
    const actor = new Actor(client, this.#ledger, new Random(round), this.#sleepMaxMs)
    return Effect.scoped(
      Effect.gen({ self: this }, function*() {
        const kept = yield* this.#open("kept")
        const helps = [...this.#workload.help?.(kept, actor, round) ?? [], this.#removePassing]
        yield* Effect.forEach(helps, (help) => Effect.ignore(Effect.timeoutOption(help, tryMs)), { discard: true })
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

/** Leaves the fence before or while what was forked runs. */
const escape = (fork: Deed, { random, work }: Actor): Deed => random.chance(1 / 2) ? Effect.andThen(fork, work()) : fork
