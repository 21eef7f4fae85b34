/**
 * The server: one engine, and a session for every link that proves a key.
 *
 * ```text
 *   link ─► Accept ─► SessionShell ── inputs ─► EngineHost.step ─► outputs ─► SessionShell ── frames ─► Gate ─► link
 *         handshake    defers requests          one turn at a                  one frame                holds until
 *                      over a limit             time                           per turn                 the commit
 * ```
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Engine } from "../engine/Engine.ts"
import type { JournalEntry } from "../engine/Inputs.ts"
import type { AnyKind } from "../engine/Kind.ts"
import type { Limits } from "../Limits.ts"
import type * as Log from "../Log.ts"
import { hexadecimal, type ManagerKey } from "../protocol/Handshake.ts"
import type { Link } from "../transport/Link.ts"
import * as Accept from "./Accept.ts"
import * as EngineHost from "./EngineHost.ts"
import { InputLog } from "./InputLog.ts"
import * as Keys from "./Keys.ts"
import { recover, type RecoverOptions } from "./recover.ts"

/** What a server is made of. */
export interface ServerOptions extends Omit<EngineHost.EngineHostOptions, "log"> {
  readonly kinds: ReadonlyArray<AnyKind>
  readonly limits: Limits
  /** The key of owners. */
  readonly key: ManagerKey
  /** Those of other roles. */
  readonly keys?: Keys.Keys | undefined
  /** Told of the index that a client knows of, and that the log has lost. */
  readonly onAhead?: ((index: number) => void) | undefined
  /** Told of every index as it is taken (S-31). */
  readonly journal?: ((entry: JournalEntry) => void) | undefined
}

/** The log of a durable manager. */
export type LogOptions = Pick<RecoverOptions, "log" | "realm" | "leader" | "compactAfter">

/** A running server. */
export interface Server {
  readonly engine: Engine
  /** Serves one link until it ends. */
  readonly serve: (link: Link) => Effect.Effect<void, never, Scope.Scope>
  /** Never ends while the state can be trusted; then it dies with the defect (S-2). Fails when another host leads. */
  readonly awaitDefect: Effect.Effect<never, Log.Fenced>
  /** Ends when an owner has shut the manager down. Its sessions are told then; what listens for links is the host's. */
  readonly awaitShutdown: Effect.Effect<void>
  /** Tells every session that the manager ends, and waits until they have gone, at most a second. */
  readonly close: Effect.Effect<void>
  /** Waits until the log has all that has changed. */
  readonly flushed: Effect.Effect<void>
}

/** The reason that clients are told. */
export const shutDown = "the manager was shut down"

/** How long `close` waits for the clients. */
const closeTimeoutMs = 1_000

/** Starts a server. It stops with its scope; call `close` before that, so that clients are told. */
export const make = (
  options: ServerOptions
): Effect.Effect<Server, never, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope> =>
  Effect.gen(function*() {
    const engine = new Engine({ ...options, epoch: yield* Clock.currentTimeMillis })
    return yield* serverOf(engine, yield* newInstance, options, undefined)
  })

/**
 * Starts a server in the state of its log. Its epoch is that of its claim. The sessions of the server before it have lost
 * their links: those with a grace can be resumed.
 */
export const makeDurable = (
  options: ServerOptions & LogOptions
): Effect.Effect<
  Server,
  Log.LogError | Log.LogNotOpened | Log.Fenced,
  Mac.Mac | SecureRandom.SecureRandom | Scope.Scope
> =>
  Effect.gen(function*() {
    const candidate = yield* newInstance
    const { engine, instance, leadership, position } = yield* recover({ ...options, instance: candidate })
    return yield* serverOf(engine, instance, options, new InputLog(engine, leadership, position))
  })

/** The name of a manager that no other one has. */
export const newInstance = Effect.flatMap(
  SecureRandom.SecureRandom,
  (random) => Effect.map(random.randomBytes(16), hexadecimal)
)

/** Serves an engine. The sessions that it has have lost their links. */
export const serverOf = (
  engine: Engine,
  instance: string,
  options: Omit<ServerOptions, "journal" | "kinds">,
  log: InputLog | undefined
): Effect.Effect<Server, never, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope> =>
  Effect.gen(function*() {
    const { key, keys, limits, onAhead } = options
    const host = yield* EngineHost.make(engine, { ...options, log })
    const linked = [...engine.state.sessions.values()].filter(({ deadline }) => deadline === undefined)
    if (linked.length > 0) {
      host.turn({ run: () => linked.forEach(({ id }) => host.step({ _tag: "Unlinked", session: id })) })
    }
    const accept = yield* Accept.make({
      credentials: Keys.credentialsOf(key, keys),
      host,
      instance,
      limits,
      onAhead
    })
    // These services only: the rest of the context, its scope above all, is the caller's of `serve`.
    const context = Context.pick(Mac.Mac, SecureRandom.SecureRandom)(
      yield* Effect.context<Mac.Mac | SecureRandom.SecureRandom>()
    )
    const flushed = log?.flushed ?? Effect.void
    const close = Effect.suspend(() => {
      const shells = [...host.shells.values()]
      for (const shell of shells) host.turn({ shell, run: () => shell.close(shutDown) })
      return Effect.forEach(shells, (shell) => Deferred.await(shell.left), {
        concurrency: "unbounded",
        discard: true
      }).pipe(Effect.andThen(flushed), Effect.timeoutOption(closeTimeoutMs), Effect.asVoid)
    })
    const awaitShutdown = Deferred.await(host.shutdown)
    yield* Effect.forkScoped(Effect.andThen(awaitShutdown, close))
    return {
      engine,
      serve: (link) => Effect.provideContext(accept(link), context),
      awaitDefect: Deferred.await(host.defect),
      awaitShutdown,
      close,
      flushed
    }
  })
