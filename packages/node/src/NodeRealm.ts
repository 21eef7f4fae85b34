/**
 * The manager of a realm, whose state is in a log that several hosts share. One of them leads; when it ends, another one goes
 * on in the same state, and the sessions of clients go on there.
 *
 * These layers need a `Log`. `PostgresManager` of `@effect-multiprocessing/postgres` provides it. A process that has several
 * realms builds them on one log, which then says once for all of them that the process lives.
 */
import { Log, Manager, ManagerError } from "@effect-multiprocessing/core"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { hostname } from "node:os"
import { advertiseIssue, type HostAddress } from "./address.ts"
import * as Endpoint from "./endpoint.ts"
import * as LeaderLink from "./leaderLink.ts"
import * as Network from "./network.ts"
import { complaintHere } from "./nodeVersion.ts"
import * as Placement from "./placement.ts"
import * as Recursion from "./recursion.ts"
import * as Relay from "./relay.ts"
import type { ServerTls } from "./tlsLink.ts"

export { rankHosts } from "./placement.ts"

/** Options of every client of a realm. */
export interface ConnectOptions {
  /** The name of the realm. Each realm is a manager of its own. */
  readonly realm: string
  /** A key of the manager. */
  readonly key: Manager.ManagerKey
  /**
   * How long the session survives while it has no connection to a leader. At least five leases: then a lock is lost to this
   * process before another one gets it, and a candidate with less does not start. Default: a grace of 10 seconds.
   */
  readonly reconnect?: Manager.Reconnect | undefined
  /** How long the first connection may take: until then nobody may lead. Default: 30 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** Is shown in `inspect` and in errors, as `name@host`. Default: "client", and "main" of a candidate. */
  readonly name?: string | undefined
  /** Allows ports without TLS beyond this machine: everybody on the way reads and may change all values. */
  readonly allowUnencrypted?: boolean | undefined
  /**
   * Whether this process starts workers. They reach the leader through a Unix socket of this process. Default: true. A
   * process with many realms may do without the sockets.
   */
  readonly workers?: boolean | undefined
}

/** Options of `layerClient`. */
export interface ClientOptions extends ConnectOptions {
  /** How to connect to hosts whose ports have TLS. Absent: they are not encrypted. */
  readonly tls?: Manager.ClientTls | undefined
}

/** Options of `layer`. */
export interface CandidateOptions
  extends ConnectOptions, Pick<Manager.CandidateOptions, "limits" | "keys" | "kinds" | "compactAfter">
{
  /** The key of owners. The same on every host of the realm. */
  readonly key: Manager.ManagerKey
  /** Where this host listens, while it leads and while it does not. Port 0: a free one. */
  readonly listen: HostAddress
  /**
   * Where others reach this host. Default: `listen`, with the port that it got, and the name of this machine in the place of
   * an address that is every interface.
   */
  readonly advertise?: Partial<HostAddress> | undefined
  /**
   * The hosts that share realms, by the names under which others reach them (`advertise`). The same on every host; this one is
   * among them. For each realm they have an order (`rankHosts`): of those that run, the first is to lead. A host takes the place
   * of a leader that comes after it once it has followed it for five leases. Absent: whoever leads goes on.
   */
  readonly hosts?: ReadonlyArray<string> | undefined
  /**
   * How long a leader may be silent until another host takes its place. The same on every host of the realm, and at least
   * four times the heartbeat of the log. Default: 2 seconds.
   */
  readonly lease?: Duration.Input | undefined
  /** The certificates of its port, and how it connects to other hosts. Absent: ports are not encrypted. */
  readonly tls?: { readonly server: ServerTls; readonly client?: Manager.ClientTls | undefined } | undefined
}

/** How long a leader may be silent, if the options of its candidates do not say it. */
export const defaultLease = "2 seconds"

/**
 * Makes this process a candidate for a realm, and a client of whoever leads: maybe itself. Building the layer fails with
 * `StartFailed` if it cannot listen, if the log is damaged or was written by another release, and with `ConnectFailed` if
 * nobody leads in time.
 *
 * **Fairness** The candidate that first notices that nobody leads does. **Cancellation** Building can be interrupted. The end
 * of the scope hands over. **On disconnect** When the leader ends, another candidate goes on in the same state: calls wait
 * meanwhile, holds are kept, and a watcher gets a reset. When nobody leads for the grace, calls fail with `ManagerError`.
 */
export const layer = (
  options: CandidateOptions
): Layer.Layer<Manager.Manager, ManagerError.ManagerError, Log.Log> =>
  Layer.effect(
    Manager.Manager,
    Effect.gen(function*() {
      yield* Recursion.refuse
      const { advertise, hosts, limits, lease = defaultLease, listen, name = "main", realm, tls } = options
      if (complaintHere !== undefined) return yield* cannotStart(addressOf(options), complaintHere)
      const issue = advertiseIssue(advertise, [listen]) ?? issueOf(options) ?? leaseIssue(options, lease)
      if (issue !== undefined) return yield* cannotStart(addressOf(options), issue)
      const leaseMs = Duration.toMillis(lease)
      // A client that the leader does not answer notices that within a lease.
      const bounds = { silenceMs: Math.max(1, Math.floor(leaseMs * 2)), ...limits }
      const log = yield* Log.Log
      const { host = isEvery(listen.host) ? hostname() : listen.host } = advertise ?? {}
      if (hosts?.includes(host) === false) {
        return yield* cannotStart(addressOf(options), `${host} is not among its hosts`)
      }
      const outranks = hosts && Placement.outranking(realm, host, hosts)
      const candidate = yield* Manager.makeCandidate({ ...options, limits: bounds, lease, log, outranks })
      const url = yield* Network.listen(candidate, listen, { ...options, limits: bounds, tls: tls?.server }).pipe(
        Effect.mapError((issue) => cannotStart(`${listen.host}:${listen.port}`, issue))
      )
      const { port = Number(new URL(url).port) } = advertise ?? {}
      // After the listener, so it ends before: sessions whose links the listener closes would have ended.
      const campaign = yield* candidate.run({ host, port }).pipe(
        Effect.tapError(({ message }) => Effect.logError(message)),
        Effect.tapDefect((defect) =>
          Effect.logError(
            `A defect has ended the candidacy of this host for "${options.realm}": it does not lead until it is started ` +
              "again. Other hosts do, and its calls go on there",
            Cause.die(defect)
          )
        ),
        Effect.forkScoped
      )
      const ways = { ...options, log, candidate, tls: tls && { ...tls.client } }
      return yield* connect(options, ways, name).pipe(
        Effect.raceFirst(
          Effect.mapError(Fiber.join(campaign), ({ message }) => cannotStart(addressOf(options), message))
        )
      )
    })
  ).pipe(Layer.provide(layerPlatform))

/**
 * A connection to whichever host leads a realm. It finds the host in the log, also after the leader has changed. Building the
 * layer fails with `ConnectFailed` if nobody leads in time, and with `HandshakeRefused`.
 *
 * **Fairness** Does not wait for other programs. **Cancellation** Building can be interrupted. **On disconnect** As `layer`.
 */
export const layerClient = (
  options: ClientOptions
): Layer.Layer<Manager.Manager, ManagerError.ManagerError, Log.Log> =>
  Layer.effect(
    Manager.Manager,
    Effect.flatMap(Log.Log, (log) => connect(options, { ...options, log }, options.name ?? "client"))
  ).pipe(Layer.provide(layerPlatform))

// internals

const layerPlatform = Layer.merge(NodeFileSystem.layer, Endpoint.layerCrypto)

const addressOf = ({ realm }: ConnectOptions): string => `the leader of "${realm}"`

const isEvery = (host: string): boolean => host === "0.0.0.0" || host === "::"

/** Another leader is there soon, so the pauses stay short. */
const schedule = Schedule.jittered(Schedule.min([Schedule.exponential("20 millis"), Schedule.spaced("200 millis")]))

/** How a client waits for a leader, if its options do not say it. */
const patience = { grace: "10 seconds", schedule } as const

/** Why a process cannot connect to a realm with these options; undefined: it can. */
const issueOf = ({ connectTimeout = "30 seconds", key, realm, reconnect }: ConnectOptions): string | undefined =>
  Manager.realmIssue(realm) ?? Manager.connectIssue({ key, reconnect: { ...patience, ...reconnect } }) ??
    (Duration.toMillis(connectTimeout) > 0 ? undefined : "connectTimeout must be a time above 0")

/** Why a lock may be lost to its holder after another process got it; undefined: it may not. */
const leaseIssue = ({ reconnect }: ConnectOptions, lease: Duration.Input): string | undefined => {
  const graceMs = Duration.toMillis(reconnect?.grace ?? patience.grace)
  const leaseMs = Duration.toMillis(lease)
  return leaseMs > 0 && leaseMs < Infinity && graceMs < 5 * leaseMs
    ? `reconnect.grace must be at least five leases, it is ${graceMs} ms, and lease is ${leaseMs} ms`
    : undefined
}

const connect = (options: ConnectOptions, ways: LeaderLink.Ways, name: string) =>
  Effect.gen(function*() {
    const { connectTimeout = "30 seconds", key, reconnect, workers = true } = options
    const address = addressOf(options)
    const grace = { ...patience, ...reconnect }
    // Not after the time of a connection: what is wrong stays wrong.
    const wrong = issueOf(options)
    if (wrong !== undefined) return yield* cannotConnect(address, wrong)
    const open = LeaderLink.make(ways)
    const path = workers ? yield* serveWorkers(open) : undefined
    let issue = "no host leads it"
    return yield* Manager.makeConnected(open, {
      address,
      key,
      label: { name: Network.nameHere(name), pid: process.pid },
      endpoint: path === undefined ? undefined : { path, key, reconnect: grace, isRelay: true },
      reconnect: grace
    }).pipe(
      Effect.tapError(({ reason }) =>
        Effect.sync(() => {
          if (reason._tag === "ConnectFailed") issue = reason.issue
        })
      ),
      Effect.retry({ schedule, while: ({ reason }) => reason._tag === "ConnectFailed" }),
      Effect.timeoutOrElse({
        duration: connectTimeout,
        orElse: () => cannotConnect(address, issue)
      })
    )
  })

/** Listens for the workers of this process. Returns the path. */
const serveWorkers = (open: ReturnType<typeof LeaderLink.make>) =>
  Effect.gen(function*() {
    const path = yield* Endpoint.makePath
    yield* Endpoint.listen(Relay.make(open), path, { isOwnFolder: true })
    return path
  }).pipe(Effect.mapError((issue) => cannotStart("a socket for workers", issue)))

const cannotConnect = (address: string, issue: string) =>
  Effect.fail(new ManagerError.ManagerError({ reason: new ManagerError.ConnectFailed({ address, issue }) }))

const cannotStart = (address: string, issue: string): ManagerError.ManagerError =>
  new ManagerError.ManagerError({ reason: new ManagerError.StartFailed({ address, issue }) })
