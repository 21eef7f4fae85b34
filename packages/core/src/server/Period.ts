/**
 * A period in which a host leads: its server, while the store confirms it.
 *
 * A leader that was not confirmed for one lease may have been replaced. It closes its links without a word, so that its
 * clients look for the other leader, and opens no link until it is confirmed. Its engine stays as it is: if nobody has
 * replaced it, it goes on.
 *
 * The lease begins when the request is sent that renews it. The store hears it later, so this host stops to count as
 * confirmed before another host may count it as silent.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Log from "../Log.ts"
import { type Link, LinkClosed } from "../transport/Link.ts"
import { patiently } from "./InputLog.ts"
import type { Server } from "./Server.ts"

/** The server of a host that leads. */
export class Period {
  readonly #server: Server
  readonly #leadership: Log.Leadership
  readonly #leaseMs: number
  /** When the request was sent that has renewed the lease, in milliseconds of the epoch. */
  #renewedAt: number
  #isConfirmed = true
  /** Done when it is confirmed again. */
  #renewed = Deferred.makeUnsafe<void>()
  /** Fails when the links are to be closed. */
  #cut = Deferred.makeUnsafe<never, LinkClosed>()

  constructor(server: Server, leadership: Log.Leadership, leaseMs: number, renewedAt: number) {
    this.#server = server
    this.#leadership = leadership
    this.#leaseMs = leaseMs
    this.#renewedAt = renewedAt
  }

  /** Whether it opens links. */
  get isConfirmed(): boolean {
    return this.#isConfirmed
  }

  /** Serves a link until it ends. */
  serve(link: Link): Effect.Effect<void, never, Scope.Scope> {
    const cut = Deferred.await(this.#cut)
    return this.#server.serve({ ...link, read: (reader) => Effect.raceFirst(link.read(reader), cut) })
  }

  /** Leads until another host does, or the state can no longer be trusted, or an owner has shut the manager down. */
  get run(): Effect.Effect<void, Log.Fenced | Log.LogDamaged> {
    const { awaitDefect, awaitShutdown, close } = this.#server
    return Effect.raceAllFirst([this.#keep, awaitDefect, Effect.andThen(awaitShutdown, close)]).pipe(
      Effect.catchDefect((defect) => defect instanceof Log.LogDamaged ? Effect.fail(defect) : Effect.die(defect))
    )
  }

  /** Closes all links, and opens no other. */
  close(reason: string): void {
    this.#isConfirmed = false
    const cut = this.#cut
    this.#cut = Deferred.makeUnsafe()
    Deferred.doneUnsafe(cut, Exit.fail(new LinkClosed({ reason })))
  }

  /** Renews the lease, for ever. */
  get #keep(): Effect.Effect<never, Log.Fenced | Log.LogDamaged> {
    const renew = Effect.gen({ self: this }, function*() {
      const sentAt = yield* Clock.currentTimeMillis
      yield* this.#leadership.renew
      this.#renewedAt = sentAt
      if (this.#isConfirmed || (yield* this.#silentMs) >= this.#leaseMs) return
      this.#isConfirmed = true
      const renewed = this.#renewed
      this.#renewed = Deferred.makeUnsafe()
      Deferred.doneUnsafe(renewed, Effect.void)
    })
    const look = Effect.gen({ self: this }, function*() {
      const silentMs = yield* this.#silentMs
      if (silentMs < this.#leaseMs) return yield* Effect.sleep(this.#leaseMs - silentMs)
      yield* Effect.logWarning(`This host was not confirmed for ${silentMs} ms, and closes its links`)
      this.close("the manager is not confirmed to lead")
      yield* Deferred.await(this.#renewed)
    })
    return Effect.raceFirst(Effect.forever(patiently(renew)), Effect.forever(look))
  }

  get #silentMs(): Effect.Effect<number> {
    return Effect.map(Clock.currentTimeMillis, (now) => now - this.#renewedAt)
  }
}
