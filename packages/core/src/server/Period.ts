/**
 * A period in which a host leads: its server, while the store confirms it.
 *
 * A leader that was not confirmed for one lease may have been replaced. It closes its links without a word, so that its
 * clients look for the other leader, and opens no link until it is confirmed. Its engine stays as it is: if nobody has
 * replaced it, it goes on.
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
  #isConfirmed = true
  /** Fails when the links are to be closed. */
  #cut = Deferred.makeUnsafe<never, LinkClosed>()

  constructor(server: Server, leadership: Log.Leadership, leaseMs: number) {
    this.#server = server
    this.#leadership = leadership
    this.#leaseMs = leaseMs
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
    return Effect.gen({ self: this }, function*() {
      let renewedAt = yield* Clock.currentTimeMillis
      const renew = Effect.gen({ self: this }, function*() {
        yield* patiently(this.#leadership.renew)
        renewedAt = yield* Clock.currentTimeMillis
        this.#isConfirmed = true
      })
      const look = Effect.gen({ self: this }, function*() {
        yield* Effect.sleep(this.#leaseMs / 4)
        const silentMs = (yield* Clock.currentTimeMillis) - renewedAt
        if (silentMs < this.#leaseMs || !this.#isConfirmed) return
        yield* Effect.logWarning(`This host was not confirmed for ${silentMs} ms, and closes its links`)
        this.close("the manager is not confirmed to lead")
      })
      return yield* Effect.raceFirst(Effect.forever(renew), Effect.forever(look))
    })
  }
}
