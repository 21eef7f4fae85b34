/**
 * The manager of a program: a scoped resource whose finalizer ends the manager, or the session with it.
 *
 * Shared objects need it as a service. A Layer decides which manager it is, and the program does not change:
 * `layerMemory` here, and the layers of `NodeManager` for other processes.
 */
import * as Cause from "effect/Cause"
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import { connect } from "./client/Connect.ts"
import type { Connection } from "./client/Connection.ts"
import type * as Relink from "./client/Relink.ts"
import type { JournalEntry } from "./engine/Inputs.ts"
import type { AnyKind } from "./engine/Kind.ts"
import { kinds as builtIn } from "./engine/kinds/index.ts"
import type { Client } from "./engine/Operation.ts"
import { bytesToJson } from "./engine/Value.ts"
import type * as Kind from "./Kind.ts"
import { engineKinds } from "./kind/EngineKind.ts"
import * as Limits from "./Limits.ts"
import type { Address, Compacted, Log, LogError, LogNotOpened, Snapshot } from "./Log.ts"
import { ConnectFailed, CrossSpace, ManagerError, StartFailed } from "./ManagerError.ts"
import { hexadecimal, keyIssue, type ManagerKey } from "./protocol/Handshake.ts"
import { millisecondsOf } from "./proxy/duration.ts"
import * as inspection from "./proxy/inspection.ts"
import { type Endpoint, Manager, type Reconnect } from "./proxy/Manager.ts"
import * as Remote from "./proxy/Remote.ts"
import * as Candidate from "./server/Candidate.ts"
import * as Keys from "./server/Keys.ts"
import * as Replay from "./server/Replay.ts"
import * as Server from "./server/Server.ts"
import type { Link, LinkClosed } from "./transport/Link.ts"
import * as MemoryLink from "./transport/MemoryLink.ts"

export type { Role } from "./engine/Inputs.ts"
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
export {
  type ClientTls,
  type DirectoryChange,
  type Endpoint,
  Manager,
  type Reconnect,
  type SocketEndpoint,
  type Status,
  type UrlEndpoint
} from "./proxy/Manager.ts"
export type { Candidate } from "./server/Candidate.ts"
export type { ClientKey, Keys } from "./server/Keys.ts"
export { type LogOptions, type Server, shutDown } from "./server/Server.ts"

/** The options of a manager. */
export interface ManagerOptions {
  /** Bounds other than the defaults (`Limits.defaults`). */
  readonly limits?: Partial<Limits.Limits> | undefined
  /** The owner's key: who has it may do everything. Default: 256 random bits. */
  readonly key?: ManagerKey | undefined
  /** The keys of each role, for a manager whose clients may not all do everything. `keys.owner` is another form of `key`. */
  readonly keys?: Keys.Keys | undefined
  /** The own kinds of its objects, besides the built-in ones (`Kind.make`). */
  readonly kinds?: ReadonlyArray<Kind.Known> | undefined
  /** Receives every state change as it takes its index, for certification (S-31). */
  readonly journal?: ((entry: JournalEntry) => void) | undefined
}

/** An entry of a journal as a line of JSON; `fromJournalLine` of `testing` reads it. */
export const toJournalLine = (entry: JournalEntry): string => JSON.stringify(entry, bytesToJson)

/** `layerMemory` with options. */
export const layerMemoryWith = (options: ManagerOptions): Layer.Layer<Manager, ManagerError> =>
  Layer.effect(
    Manager,
    Effect.gen(function*() {
      const key = yield* ownerKey(options)
      const server = yield* makeServer({ ...options, key })
      return yield* makeLocal(server, key, options)
    })
  ).pipe(Layer.provide(layerCrypto))

/**
 * A manager inside this process, for tests and programs of a single process. It runs the same protocol over a pipe in
 * memory (S-32). Other processes cannot reach it.
 */
// Pure, so that a bundle that does not use it has no part of it: the manager's own program makes no client.
export const layerMemory: Layer.Layer<Manager, ManagerError> = /* @__PURE__ */ Layer.suspend(() => layerMemoryWith({}))

/** The cryptography of the platform's WebCrypto, which every platform has. */
export const layerCrypto: Layer.Layer<Mac.Mac | SecureRandom.SecureRandom> = Layer.provideMerge(
  Mac.layerWebCrypto,
  SecureRandom.layerWebCrypto
)

/** The given key, or a random one. */
export const orRandomKey = (
  key: ManagerKey | undefined
): Effect.Effect<ManagerKey, never, SecureRandom.SecureRandom> =>
  key !== undefined ? Effect.succeed(key) : Effect.gen(function*() {
    const random = yield* SecureRandom.SecureRandom
    return Redacted.make(hexadecimal(yield* random.randomBytes(32)))
  })

/** The owner's key: the given one, or a random one. */
export const ownerKey = (
  { key, keys }: Pick<ManagerOptions, "key" | "keys">
): Effect.Effect<ManagerKey, never, SecureRandom.SecureRandom> => orRandomKey(key ?? keys?.owner)

/**
 * A server that lives as long as the scope. A host that accepts other processes calls `close` first. Fails with
 * `StartFailed` if two kinds have one name.
 */
export const makeServer = (
  { kinds = [], ...options }: ManagerOptions & { readonly key: ManagerKey }
): Effect.Effect<Server.Server, ManagerError, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope> =>
  Effect.suspend(() => makeServerOf([...builtIn, ...engineKinds(kinds)], options))

/** `makeServer` of the built-in kinds. It loads nothing that only own kinds need. */
export const makeStandardServer = (
  options: Omit<ManagerOptions, "kinds"> & { readonly key: ManagerKey }
): Effect.Effect<Server.Server, ManagerError, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope> =>
  Effect.suspend(() => makeServerOf(builtIn, options))

/**
 * `makeServer`, of a manager that keeps its state in a log. It begins where the log ends, without the sessions of the
 * manager before it. Fails with `StartFailed` also if the log cannot be used.
 */
export const makeDurableServer = (
  { kinds = [], log, ...options }: ManagerOptions & {
    readonly key: ManagerKey
    readonly log: Server.LogOptions
  }
): Effect.Effect<Server.Server, ManagerError, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope> =>
  Effect.suspend(() => {
    const all = [...builtIn, ...engineKinds(kinds)]
    const issue = serverIssue(options, all) ?? logIssue(options, log.log)
    if (issue !== undefined) return Effect.fail(cannotStart(issue))
    const limits = { ...Limits.defaults, ...options.limits }
    return Effect.mapError(
      Server.makeDurable({ ...options, ...log, kinds: all, limits }),
      ({ message }) => cannotStart(message)
    )
  })

/**
 * The state to which a log leads now, as a snapshot that `Log.putSnapshot` takes: for a thread or a process beside the
 * manager, which would stand still meanwhile. Fails with `LogNotOpened` if another version of the engine has written the
 * log, and with `Compacted` if another snapshot has replaced entries that were to be read.
 *
 * **Fairness** Does not wait for the manager. **Cancellation** Interruptible. **On disconnect** Needs the log only.
 */
export const makeSnapshot = (
  { kinds = [], limits, log, realm }:
    & Pick<ManagerOptions, "kinds" | "limits">
    & Pick<Server.LogOptions, "log" | "realm">
): Effect.Effect<Snapshot, LogError | LogNotOpened | Compacted> =>
  Replay.snapshot({
    log,
    realm,
    instance: "",
    epoch: 0,
    kinds: [...builtIn, ...engineKinds(kinds)],
    limits: { ...Limits.defaults, ...limits }
  })

/** The options of a candidate. */
export interface CandidateOptions extends Omit<ManagerOptions, "journal"> {
  readonly key: ManagerKey
  readonly log: Log["Service"]
  readonly realm: string
  /** How long a leader may be silent before another candidate takes its place. */
  readonly lease: Duration.Input
  /**
   * The number of entries after which a candidate that follows replaces them by a snapshot. `Infinity`: never, because another
   * candidate does. Default: 10,000.
   */
  readonly compactAfter?: number | undefined
  /**
   * Whether this host is to lead rather than another one. It takes the place of a leader that it outranks after it has
   * followed it for five leases. Default: it leaves every leader in its place.
   */
  readonly outranks?: ((leader: Address) => boolean) | undefined
}

/**
 * A host that may lead the manager of a realm, whose state is in a log that several hosts share. Fails with `StartFailed` if
 * there can be no manager with these options.
 */
export const makeCandidate = (
  { kinds = [], lease, limits, ...options }: CandidateOptions
): Effect.Effect<Candidate.Candidate, ManagerError, Mac.Mac | SecureRandom.SecureRandom> =>
  Effect.suspend(() => {
    const all = [...builtIn, ...engineKinds(kinds)]
    const leaseMs = Math.ceil(millisecondsOf(lease))
    const { compactAfter = 1 } = options
    const issue = realmIssue(options.realm) ?? serverIssue({ ...options, limits }, all) ??
      logIssue({ limits }, options.log) ??
      (Number.isSafeInteger(leaseMs) && leaseMs > 0
        ? undefined
        : "its lease must be a time above 0, and not for ever") ??
      (compactAfter >= 1 ? undefined : `compactAfter must be at least 1, it is ${compactAfter}`)
    return issue === undefined
      ? Candidate.make({ ...options, kinds: all, leaseMs, limits: { ...Limits.defaults, ...limits } })
      : Effect.fail(cannotStart(issue))
  })

const cannotStart = (issue: string): ManagerError =>
  new ManagerError({ reason: new StartFailed({ address: "this process", issue }) })

const makeServerOf = (
  kinds: ReadonlyArray<AnyKind>,
  options: Omit<ManagerOptions, "kinds"> & { readonly key: ManagerKey }
): Effect.Effect<Server.Server, ManagerError, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope> => {
  const issue = serverIssue(options, kinds)
  return issue === undefined
    ? Server.make({ ...options, kinds, limits: { ...Limits.defaults, ...options.limits } })
    : Effect.fail(cannotStart(issue))
}

/** Why there can be no manager with these options and kinds; undefined: there can. */
const serverIssue = (
  options: Pick<ManagerOptions, "limits" | "keys"> & { readonly key: ManagerKey },
  kinds: ReadonlyArray<AnyKind>
): string | undefined => issueOf(options) ?? Keys.issueOf(options.key, options.keys) ?? twice(kinds)

/** Why a manager cannot have a log with these limits; undefined: it can. An input must fit into an entry. */
const logIssue = (
  { limits: { frameBytesMax = Limits.defaults.frameBytesMax } = {} }: Pick<ManagerOptions, "limits">,
  { entryBytesMax }: Log["Service"]
): string | undefined =>
  frameBytesMax <= entryBytesMax / 2
    ? undefined
    : `limits.frameBytesMax must be at most ${
      entryBytesMax / 2
    } with this log, whose entries have at most twice as many bytes`

/** Why a manager cannot have these kinds; undefined: it can. */
const twice = (kinds: ReadonlyArray<AnyKind>): string | undefined => {
  const names = kinds.map(({ name }) => name)
  const name = names.find((name, i) => name === "Directory" || names.indexOf(name) < i)
  return name === undefined ? undefined : `two kinds are named ${name}. Give each kind a name of its own`
}

/** Why a realm cannot have a name; undefined: it can. */
export const realmIssue = (realm: unknown): string | undefined =>
  typeof realm === "string" && realm !== "" && realm.length <= Limits.defaults.nameLengthMax && realm.isWellFormed()
    ? undefined
    : `the name of a realm must be a text of 1 to ${Limits.defaults.nameLengthMax} characters of Unicode`

/** The limits that a client is told, which are numbers on the wire. The others may be `Infinity`: no limit. */
const told = ["frameBytesMax", "inFlightMax", "inFlightBytesMax", "watchCredit"]

/** Why there can be no manager with these options, or no connection to one; undefined: there can. */
const issueOf = ({ key, limits = {} }: Pick<ManagerOptions, "limits"> & { readonly key: ManagerKey }) => {
  const wrongKey = keyIssue(key)
  if (wrongKey !== undefined) return wrongKey
  const wrong = Object.entries(limits).find(([name, limit]) =>
    !(Number.isSafeInteger(limit) && limit >= 1) && (limit !== Infinity || told.includes(name))
  )
  return wrong === undefined
    ? undefined
    : `limits.${wrong[0]} must be a whole number of at least 1, it is ${wrong[1]}`
}

/** How a client reconnects, in milliseconds; or why it cannot. */
const reconnectOf = ({ grace, maxStall, schedule }: Reconnect): Relink.Reconnect | string => {
  const [graceMs, silenceMs] = [grace, maxStall ?? Infinity].map((time) => Math.ceil(millisecondsOf(time)))
  if (!(Number.isSafeInteger(graceMs) && graceMs! > 0)) {
    return "reconnect.grace must be a time above 0, and not for ever"
  }
  if (!(silenceMs! > 0)) return "reconnect.maxStall must be a time above 0"
  return { graceMs: graceMs!, silenceMs: silenceMs === Infinity ? undefined : silenceMs, schedule }
}

/** Why nobody can connect with this key and in this way; undefined: one can. */
export const connectIssue = (
  { key, reconnect }: Pick<Endpoint, "key" | "reconnect">
): string | undefined => {
  const way = reconnect && reconnectOf(reconnect)
  return issueOf({ key }) ?? (typeof way === "string" ? way : undefined)
}

/** A manager behind a link. */
export const makeConnected = (
  open: Effect.Effect<Link, LinkClosed, Scope.Scope>,
  options: {
    readonly address: string
    readonly key: ManagerKey
    readonly label: Client
    readonly limits?: Partial<Limits.Limits> | undefined
    readonly endpoint?: Endpoint | undefined
    readonly reconnect?: Reconnect | undefined
  }
): Effect.Effect<Manager["Service"], ManagerError, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope> =>
  Effect.map(
    Effect.suspend(() => {
      const refused = (issue: string) =>
        Effect.fail(new ManagerError({ reason: new ConnectFailed({ address: options.address, issue }) }))
      const issue = issueOf(options)
      if (issue !== undefined) return refused(issue)
      const reconnect = options.reconnect && reconnectOf(options.reconnect)
      if (typeof reconnect === "string") return refused(reconnect)
      return connect(open, { ...options, limits: { ...Limits.defaults, ...options.limits }, reconnect })
    }),
    (connection) =>
      Manager.of({
        connection,
        role: connection.agreement.role,
        status: connection.status.changes,
        endpoint: options.endpoint,
        remove: (object) => remove(connection, object),
        endSession: (session) =>
          Remote.directory(connection).call("endSession", [session], ([ended]) => Exit.succeed(ended === 1)),
        shutdown: Remote.directory(connection).call("shutdown", [], () => Exit.void),
        ...inspection.make(connection)
      })
  )

/** A reader of this process may pass bytes on to another one, and stop reading: then the server must know. */
const bufferBytes = 64 * 1024

/** A link to a server in this process, for the life of the scope. */
export const openLocal = (
  { serve }: Pick<Server.Server, "serve">
): Effect.Effect<Link, never, Scope.Scope> =>
  Effect.gen(function*() {
    const dispatcher = (yield* Scheduler.Scheduler).makeDispatcher()
    const pair = MemoryLink.makePair({ schedule: (task) => dispatcher.scheduleTask(task, 0), bufferBytes })
    yield* Effect.scoped(serve(pair.server)).pipe(
      // Scheduled, so that what was sent is delivered first: the server's last message says why it ended.
      Effect.ensuring(Effect.sync(() => dispatcher.scheduleTask(() => pair.cut("the manager has stopped"), 0))),
      Effect.forkScoped
    )
    // The server reads what was sent, such as a goodbye, before it is interrupted.
    yield* Effect.addFinalizer(() =>
      Effect.callback<void>((resume) => {
        pair.end("client", "the scope of this manager was closed")
        dispatcher.scheduleTask(() => resume(Effect.void), 0)
      })
    )
    return pair.client
  })

/** A manager whose server is in this process, behind a pipe in memory. */
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
    const link = yield* openLocal(server)
    yield* server.awaitDefect.pipe(
      Effect.tapDefect((defect) =>
        Effect.logError("A defect has stopped the manager: every call to it fails.", Cause.die(defect))
      ),
      Effect.forkScoped
    )
    const label = options.label ?? { name: "main", pid: 0 }
    return yield* makeConnected(Effect.succeed(link), { ...options, address: "memory", key, label })
  })

/**
 * Makes several calls to shared objects of one manager. All of them take effect in one step, or none does. Each effect
 * makes one call, and each call is to another object. Calls that read or change are allowed. Calls that return
 * something to be given back (locks, permits, deliveries) are not.
 *
 * ```ts
 * yield* Manager.atomic([accounts.set("a", 10), accountLog.offer("a: 10")])
 * ```
 *
 * If a call is refused, the effect fails with its error, and no call took effect. If a call must wait, all wait, and
 * hold nothing meanwhile. At most `callsPerRequestMax` (256) calls.
 *
 * **Fairness** Later calls do not overtake a call that waits. **Cancellation** Interruptible while it waits; then no
 * call took effect. **On disconnect** `ManagerError`, whose reason says whether the calls took effect.
 */
export const atomic = <const Calls extends ReadonlyArray<Effect.Effect<unknown, unknown, unknown>>>(
  calls: Calls
): Together<Calls> =>
  Effect.flatMap(Manager, ({ connection }): Together<Calls> => {
    const wrong = calls.findIndex((call) => !Effect.isEffect(call))
    return wrong >= 0
      ? Remote.directory(connection).invalid("atomic", `element ${wrong} is no Effect`)
      // `together` returns the results in the order of the calls.
      : connection.together(calls) as Together<Calls>
  })

type Together<Calls extends ReadonlyArray<Effect.Effect<unknown, unknown, unknown>>> = Effect.Effect<
  { -readonly [I in keyof Calls]: Effect.Success<Calls[I]> },
  Effect.Error<Calls[number]> | ManagerError,
  Effect.Services<Calls[number]> | Manager
>

const remove = (connection: Connection, object: Remote.Shared): Effect.Effect<void, ManagerError> => {
  if (!Predicate.hasProperty(object, Remote.TypeId)) {
    return Remote.directory(connection).invalid("remove", "it was not given a shared object")
  }
  const { connection: other, target } = object[Remote.TypeId]
  return other === connection
    ? Remote.directory(connection, target.description).call("delete", [target.id], () => Exit.void)
    : Effect.fail(new ManagerError({ reason: new CrossSpace({ object: target.description, operation: "remove" }) }))
}
