/**
 * A manager in memory whose server, engine and links are accessible. The invariants are checked after every step of the
 * engine. A broken one stops the server, and so fails the test.
 */
import type { Engine } from "#core/engine/Engine.ts"
import type { JournalEntry, Output } from "#core/engine/Inputs.ts"
import { Monitor } from "#core/engine/Invariants.ts"
import type { AnyKind } from "#core/engine/Kind.ts"
import { kinds } from "#core/engine/kinds/index.ts"
import type { Commit } from "#core/server/Gate.ts"
import * as Server from "#core/server/Server.ts"
import { type Link, LinkClosed } from "#core/transport/Link.ts"
import * as MemoryLink from "#core/transport/MemoryLink.ts"
import * as Limits from "@effect-multiprocessing/core/Limits"
import type * as Log from "@effect-multiprocessing/core/Log"
import * as Manager from "@effect-multiprocessing/core/Manager"
import type { ManagerError } from "@effect-multiprocessing/core/ManagerError"
import { Context, Effect, Redacted, Scheduler, type Scope } from "effect"
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"

/** The key of every manager of these tests. */
export const key = Redacted.make("the key of the tests")

/** The realm of the managers of these tests, and their address. */
export const leading = { realm: "test", leader: { host: "host.test", port: 1 } }

export interface MemoryOptions {
  readonly limits?: Partial<Limits.Limits> | undefined
  /** The keys of other roles than the owner. */
  readonly keys?: Manager.Keys | undefined
  /** Kinds beyond the standard ones. */
  readonly kinds?: ReadonlyArray<AnyKind> | undefined
  readonly journal?: ((entry: JournalEntry) => void) | undefined
  readonly commit?: Commit | undefined
  /** The log of a durable manager. It must let the manager begin. */
  readonly log?: Log.Log["Service"] | undefined
  readonly compactAfter?: number | undefined
  /** Whether the invariants are checked after every step, which visits the whole state each time. Default true. */
  readonly judged?: boolean | undefined
}

export interface ConnectOptions {
  readonly name?: string | undefined
  readonly key?: Manager.ManagerOptions["key"]
  /** Wraps an end of the link for its owner. */
  readonly client?: ((link: Link) => Link) | undefined
  readonly server?: ((link: Link) => Link) | undefined
  readonly deliverBytes?: ((available: number) => number) | undefined
  readonly reconnect?: Manager.Reconnect | undefined
  /** Makes its links. Default: to this server. */
  readonly dial?: Memory["dial"] | undefined
}

/** A connection, and a function that cuts its link. */
export interface Connected {
  readonly manager: Manager.Manager["Service"]
  readonly cut: (reason: string) => void
  /** Whether the server can be reached, at first it can. */
  readonly reach: (isReachable: boolean) => void
}

export interface Memory {
  readonly server: Server.Server
  /** A client over a link of its own. */
  readonly connect: (options?: ConnectOptions) => Effect.Effect<Connected, ManagerError, Scope.Scope>
  /** A link that the server reads, without a client. */
  readonly dial: (options?: ConnectOptions) => Effect.Effect<MemoryLink.MemoryLinkPair, never, Scope.Scope>
}

/** Starts a server. */
export const make = (options: MemoryOptions = {}): Effect.Effect<Memory, never, Scope.Scope> =>
  Effect.gen(function*() {
    const crypto = yield* Effect.provide(
      Effect.map(
        Effect.context<Mac.Mac | SecureRandom.SecureRandom>(),
        Context.pick(Mac.Mac, SecureRandom.SecureRandom)
      ),
      Manager.layerCrypto
    )
    const scope = yield* Effect.scope
    const monitor = new Monitor()
    const serverOptions = {
      kinds: [...kinds, ...options.kinds ?? []],
      key,
      keys: options.keys,
      journal: options.journal,
      commit: options.commit,
      limits: { ...Limits.defaults, ...options.limits },
      monitor: options.judged === false
        ? undefined
        : (engine: Engine, outputs: ReadonlyArray<Output>) => monitor.observe(engine, outputs)
    }
    const server = yield* Effect.acquireRelease(
      options.log === undefined
        ? Server.make(serverOptions)
        : Effect.orDie(
          Server.makeDurable({ ...serverOptions, ...leading, log: options.log, compactAfter: options.compactAfter })
        ),
      (server) => server.close
    ).pipe(Effect.provideContext(crypto))

    const dial: Memory["dial"] = (options = {}) =>
      Effect.gen(function*() {
        const dispatcher = (yield* Scheduler.Scheduler).makeDispatcher()
        const pair = MemoryLink.makePair({
          schedule: (task) => dispatcher.scheduleTask(task, 0),
          deliverBytes: options.deliverBytes
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => pair.cut("the test is over")))
        yield* Effect.scoped(server.serve(options.server?.(pair.server) ?? pair.server)).pipe(
          // Scheduled, so that what was sent is delivered first: the server's last message says why it ended.
          Effect.ensuring(Effect.sync(() => dispatcher.scheduleTask(() => pair.cut("the server has ended it"), 0))),
          // The server's: it notices that the client's end is closed, as it would over a network.
          Effect.forkIn(scope)
        )
        return pair
      })

    return {
      server,
      dial,
      connect: (options = {}) =>
        Effect.gen(function*() {
          const pairs: Array<MemoryLink.MemoryLinkPair> = []
          let isReachable = true
          const open = Effect.suspend(() =>
            isReachable
              ? (options.dial ?? dial)(options)
              : Effect.fail(new LinkClosed({ reason: "the server cannot be reached" }))
          ).pipe(Effect.map((pair) => {
            pairs.push(pair)
            return options.client?.(pair.client) ?? pair.client
          }))
          const manager = yield* Manager.makeConnected(open, {
            address: "memory",
            key: options.key ?? key,
            label: { name: options.name ?? "client", pid: 0 },
            reconnect: options.reconnect
          })
          const cut = (reason: string) => pairs.at(-1)?.cut(reason)
          return { manager, cut, reach: (reachable: boolean) => isReachable = reachable }
        }).pipe(Effect.provideContext(crypto))
    }
  })

/** Waits for a condition. Checks it once in each turn of the event loop, and dies with its name after many turns. */
export const until = (what: string, condition: () => boolean): Effect.Effect<void> => {
  const look = (turns: number): Effect.Effect<void> =>
    Effect.suspend(() =>
      condition()
        ? Effect.void
        : turns === 0
        ? Effect.die(new Error(`waited in vain until ${what}`))
        : Effect.andThen(Effect.yieldNow, look(turns - 1))
    )
  return look(200_000)
}

/** Waits until nothing is under way between a client and the server: no call, no remembered reply. */
export const settled = ({ server }: Memory, { manager }: Connected): Effect.Effect<void> =>
  until("nothing is under way", () => {
    const session = server.engine.state.sessions.get(manager.connection.agreement.session)
    return manager.connection.pending === 0 &&
      (session === undefined || session.parked.size + session.answered.size === 0)
  })
