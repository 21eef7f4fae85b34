/**
 * The manager a program talks to: a scoped resource whose finalizer ends it, or the session with it.
 *
 * Shared objects need it as a service. Which manager it is decides a Layer, and the program does not change:
 * `layerMemory` here, and `NodeManager`'s layers for other processes.
 */
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import { connect } from "./client/Connect.ts"
import type { Connection } from "./client/Connection.ts"
import type { JournalEntry } from "./engine/Inputs.ts"
import { kinds } from "./engine/kinds/index.ts"
import type { Client } from "./engine/Operation.ts"
import * as Limits from "./Limits.ts"
import { ForeignHandle, ManagerError } from "./ManagerError.ts"
import { hexadecimal, type ManagerKey } from "./protocol/Handshake.ts"
import * as inspection from "./proxy/inspection.ts"
import { type Endpoint, Manager } from "./proxy/Manager.ts"
import * as Remote from "./proxy/Remote.ts"
import * as Server from "./server/Server.ts"
import type { Link, LinkClosed } from "./transport/Link.ts"
import * as MemoryLink from "./transport/MemoryLink.ts"

export type {
  Counts,
  Holder,
  Inspection,
  ObjectDetails,
  ObjectIdentity,
  ObjectInfo,
  SessionInfo,
  Waiter
} from "./engine/Inspection.ts"
export type { Client } from "./engine/Operation.ts"
export type { ManagerKey } from "./protocol/Handshake.ts"
export { type DirectoryChange, type Endpoint, Manager } from "./proxy/Manager.ts"
export type { Server } from "./server/Server.ts"

/** How a manager is made. */
export interface ManagerOptions {
  /** Bounds other than the defaults (`Limits.defaults`). */
  readonly limits?: Partial<Limits.Limits> | undefined
  /** The key clients must know. Default: 256 random bits. */
  readonly key?: ManagerKey | undefined
  /** Told of every state change as it takes its index, for certification (S-31). */
  readonly journal?: ((entry: JournalEntry) => void) | undefined
}

/** As `layerMemory`, with options. */
export const layerMemoryWith = (options: ManagerOptions): Layer.Layer<Manager, ManagerError> =>
  Layer.effect(
    Manager,
    Effect.gen(function*() {
      const key = yield* orRandomKey(options.key)
      const server = yield* makeServer({ ...options, key })
      return yield* makeLocal(server, key, options)
    })
  ).pipe(Layer.provide(layerCrypto))

/**
 * A manager inside this process, for tests and single process programs. It runs the same protocol over a pipe in
 * memory (S-32); other processes cannot reach it.
 */
export const layerMemory: Layer.Layer<Manager, ManagerError> = Layer.suspend(() => layerMemoryWith({}))

/** The cryptography of the platform's WebCrypto: enough everywhere. */
export const layerCrypto: Layer.Layer<Mac.Mac | SecureRandom.SecureRandom> = Layer.provideMerge(
  Mac.layerWebCrypto,
  SecureRandom.layerWebCrypto
)

/** A key, if none is given. */
export const orRandomKey = (
  key: ManagerKey | undefined
): Effect.Effect<ManagerKey, never, SecureRandom.SecureRandom> =>
  key !== undefined ? Effect.succeed(key) : Effect.gen(function*() {
    const random = yield* SecureRandom.SecureRandom
    return Redacted.make(hexadecimal(yield* random.randomBytes(32)))
  })

/**
 * A server of the standard kinds, for the life of the scope. A host that accepts other processes calls `close` first.
 */
export const makeServer = (
  options: ManagerOptions & { readonly key: ManagerKey }
): Effect.Effect<Server.Server, never, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope> =>
  Server.make({ ...options, kinds, limits: { ...Limits.defaults, ...options.limits } })

/** A connection over a link. */
export const makeConnected = (
  open: Effect.Effect<Link, LinkClosed, Scope.Scope>,
  options: {
    readonly address: string
    readonly key: ManagerKey
    readonly label: Client
    readonly limits?: Partial<Limits.Limits> | undefined
    readonly endpoint?: Endpoint | undefined
  }
): Effect.Effect<Manager["Service"], ManagerError, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope> =>
  Effect.map(
    connect(open, { ...options, limits: { ...Limits.defaults, ...options.limits } }),
    (connection) =>
      Manager.of({
        connection,
        endpoint: options.endpoint,
        remove: (object) => remove(connection, object),
        ...inspection.make(connection)
      })
  )

/** A connection to a server of this process, over a pipe in memory. */
export const makeLocal = (
  server: Server.Server,
  key: ManagerKey,
  options: {
    readonly limits?: Partial<Limits.Limits> | undefined
    readonly label?: Client | undefined
    readonly endpoint?: Endpoint | undefined
  } = {}
): Effect.Effect<Manager["Service"], ManagerError, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope> =>
  Effect.gen(function*() {
    const dispatcher = (yield* Scheduler.Scheduler).makeDispatcher()
    const pair = MemoryLink.makePair({ schedule: (task) => dispatcher.scheduleTask(task, 0) })
    yield* Effect.addFinalizer(() => Effect.sync(() => pair.cut("the scope of this manager was closed")))
    yield* Effect.scoped(server.serve(pair.server)).pipe(
      // After what was sent has been delivered: the server's last word says why.
      Effect.ensuring(Effect.sync(() => dispatcher.scheduleTask(() => pair.cut("the manager has stopped"), 0))),
      Effect.forkScoped
    )
    const label = options.label ?? { name: "main", pid: 0 }
    return yield* makeConnected(Effect.succeed(pair.client), { ...options, address: "memory", key, label })
  })

/**
 * Makes several calls to shared objects of one manager that take effect together, in one step, or not at all. Each
 * effect makes one call, and each call is to another object; those that read or change can stand here, those that must
 * be given back (locks, permits, deliveries) cannot.
 *
 * ```ts
 * yield* Manager.atomic([accounts.set("a", 10), accountLog.offer("a: 10")])
 * ```
 *
 * If one is refused, the effect fails with its error and none took effect. If one must wait, all wait, and hold nothing
 * meanwhile. At most `callsPerRequestMax` (256) calls.
 *
 * **Fairness** Where a call waits, calls that came later do not overtake it. **Cancellation** Interruptible while it
 * waits; then none took effect. **On disconnect** `ManagerError`, whose reason says whether they took effect.
 */
export const atomic = <const Calls extends ReadonlyArray<Effect.Effect<unknown, unknown, unknown>>>(
  calls: Calls
): Effect.Effect<
  { -readonly [I in keyof Calls]: Effect.Success<Calls[I]> },
  Effect.Error<Calls[number]> | ManagerError,
  Effect.Services<Calls[number]> | Manager
> =>
  Effect.flatMap(Manager, ({ connection }) =>
    // `together` keeps the order of the calls, so the results are those of the tuple.
    connection.together(calls) as Effect.Effect<
      { -readonly [I in keyof Calls]: Effect.Success<Calls[I]> },
      Effect.Error<Calls[number]>,
      Effect.Services<Calls[number]>
    >)

const remove = (connection: Connection, object: Remote.Shared): Effect.Effect<void, ManagerError> => {
  const { connection: other, target } = object[Remote.TypeId]
  return other === connection
    ? Remote.directory(connection, target.description).call("delete", [target.id], () => Exit.void)
    : Effect.fail(new ManagerError({ reason: new ForeignHandle({ object: target.description, operation: "remove" }) }))
}
