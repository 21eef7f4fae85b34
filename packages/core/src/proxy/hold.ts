/**
 * A body under a hold: the common part of locks, permits and conditions (S-20 to S-22).
 *
 * ```text
 *   grant ─► Held ─► body, with the hold in its guard ─► the end: told to the manager, not asked
 *             │ lost: the body is interrupted
 *             └ suspended, renewed with another token: a condition's wait
 * ```
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Connection } from "../client/Connection.ts"
import { Guard, type GuardedBy } from "../client/Guard.ts"
import type { GrantId } from "../engine/Operation.ts"
import type { Remote, Restore } from "./Remote.ts"

/** A hold of this process, from its grant to the end of its body. */
export class Held<L> implements GuardedBy {
  readonly connection: Connection
  readonly #remote: Remote<unknown>
  readonly #loss: (token: GrantId, why: string) => L
  readonly #lost = Deferred.makeUnsafe<never, L>()
  #token: GrantId
  #state: "held" | "suspended" | "lost" | "over" = "held"
  #unregister: () => void
  /** Absent: its body has not begun, or does not decide when it ends. */
  body: GuardedBy["body"]
  holder: GuardedBy["holder"]
  /** Whether nothing but the end of its body ends it: otherwise a call of the body holds up no end (S-34). */
  endsWithBody = true

  /** Make it in the turn in which the grant is read: the next message may revoke it. */
  constructor(remote: Remote<unknown>, token: GrantId, loss: (token: GrantId, why: string) => L) {
    this.#remote = remote
    this.connection = remote.connection
    this.#loss = loss
    this.#token = token
    this.#unregister = this.#register()
  }

  get token(): GrantId {
    return this.#token
  }

  /** As far as this process knows, the hold is current in the manager. */
  get isCurrent(): boolean {
    return this.#state === "held"
  }

  get isSuspended(): boolean {
    return this.#state === "suspended"
  }

  /** Whether it is a hold of this object whose body has not ended (S-20). */
  isOf(remote: Remote<unknown>): boolean {
    return this.#state !== "over" && this.connection === remote.connection &&
      this.#remote.target.id === remote.target.id
  }

  /** Fails when the hold is lost. */
  get lost(): Effect.Effect<never, L> {
    return Deferred.await(this.#lost)
  }

  /** Gives the hold up for a while. Calls under it are refused meanwhile, which is no loss. */
  suspend(): void {
    this.#unregister()
    this.#state = "suspended"
  }

  /** Makes it current again, with this token; false if it was not suspended. */
  renew(token: GrantId): boolean {
    if (this.#state !== "suspended") return false
    this.#state = "held"
    this.#token = token
    this.#unregister = this.#register()
    return true
  }

  /** Loses a suspended hold for good. Calls under it are interrupted from now on, as after any loss. */
  lose(why: string): void {
    if (this.#state !== "suspended") return
    this.#state = "lost"
    this.#unregister = this.#register()
    this.#trip(why)
  }

  /** Ends it: its body has ended. */
  end(): void {
    this.#unregister()
    this.#state = "over"
  }

  #register(): () => void {
    return this.connection.onLost(this.#token, (why) => this.#trip(why))
  }

  #trip(why: string): void {
    Deferred.doneUnsafe(this.#lost, Effect.fail(this.#loss(this.#token, why)))
  }
}

/** The hold of an object that the running fiber stands under. */
export const heldOf = (remote: Remote<unknown>): Effect.Effect<Held<unknown> | undefined> =>
  Effect.map(Guard, (guard) => guard.find((hold): hold is Held<unknown> => hold instanceof Held && hold.isOf(remote)))

/**
 * Runs a body under a hold that was just granted, where interruption is masked. `release` gives the hold back, however
 * the body ends, and does not wait for a reply: so a frozen manager delays no fiber.
 */
export const under = <A, E, R, L>(
  restore: Restore,
  held: Held<L>,
  body: Effect.Effect<A, E, R>,
  release: (token: GrantId) => void
): Effect.Effect<A, E | L, R> =>
  Effect.withFiber((holder) => {
    held.holder = holder
    const begun = Effect.withFiber((fiber) => {
      if (held.endsWithBody) held.body = fiber
      return body
    })
    const guarded = Effect.provideService(begun, Guard, [...holder.getRef(Guard), held])
    return Effect.onExit(restore(Effect.raceFirst(guarded, held.lost)), () =>
      Effect.sync(() => {
        held.end()
        release(held.token)
      }))
  })
