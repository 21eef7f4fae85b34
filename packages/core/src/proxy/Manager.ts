/**
 * The manager as a service, and where other processes reach it. A file of its own: it loads neither the client of a
 * manager nor the server, so what only uses shared objects loads no engine.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Schedule from "effect/Schedule"
import type * as Stream from "effect/Stream"
import type { Connection } from "../client/Connection.ts"
import type { Status } from "../client/Status.ts"
import type { Role } from "../engine/Inputs.ts"
import type {
  Counts,
  Holder,
  Inspection,
  ObjectIdentity,
  ObjectInfo,
  SessionInfo,
  Waiter
} from "../engine/Inspection.ts"
import type { ManagerError } from "../ManagerError.ts"
import type { ManagerKey } from "../protocol/Handshake.ts"
import type * as Remote from "./Remote.ts"

export type { Status } from "../client/Status.ts"

/** Where a manager can be reached, and its key: at a Unix socket or at a URL. */
export type Endpoint = SocketEndpoint | UrlEndpoint

/** A manager that is reached at a Unix socket. */
export interface SocketEndpoint {
  /** The path of the Unix socket. */
  readonly path: string
  readonly key: ManagerKey
  /** How the session survives the loss of its connection. Default: not at all, which a socket of one machine rarely needs. */
  readonly reconnect?: Reconnect | undefined
  /**
   * The URLs of the addresses that the server was given, in their order and with the ports that it got. Only in the
   * endpoint of the server's own layer.
   */
  readonly urls?: ReadonlyArray<string> | undefined
  /** Whether the process that listens passes the bytes on to the leader of a realm. Only in the endpoint of such a layer. */
  readonly isRelay?: boolean | undefined
  readonly url?: undefined
}

/** A manager that is reached at a URL. */
export interface UrlEndpoint {
  /** `unix:///path`, `emp://host:port` (not encrypted) or `emps://host:port` (TLS). A key in it is refused. */
  readonly url: string
  readonly key: ManagerKey
  /** How the session survives the loss of its connection. Default: not at all. */
  readonly reconnect?: Reconnect | undefined
  /** How to connect to `emps://`. Default: Node's certificate authorities, and no certificate of this client. */
  readonly tls?: ClientTls | undefined
  /** Allows `emp://` beyond this machine: everybody on the way reads and may change all values. */
  readonly allowUnencrypted?: boolean | undefined
  readonly path?: undefined
  readonly urls?: undefined
  readonly isRelay?: undefined
}

/** The TLS of a client. Certificates and keys are texts in PEM. */
export interface ClientTls {
  /** The certificates of the authorities that this client trusts, in the place of Node's. */
  readonly ca?: string | undefined
  /** The client's own certificate, for a server that requires one. */
  readonly cert?: string | undefined
  /** The private key of `cert`. */
  readonly key?: Redacted.Redacted<string> | undefined
  /** The host name that the server's certificate must have. Default: the host of the URL. */
  readonly servername?: string | undefined
}

/** How a client that has lost its connection makes another one. */
export interface Reconnect {
  /**
   * How long the session survives without a connection. The manager may grant less (`limits.sessionGraceMs`). Until then
   * what the client holds stays held, and its calls wait. Its own locks and permits are lost to it earlier, when three
   * quarters of the time are over.
   */
  readonly grace: Duration.Input
  /**
   * How long the event loop of this program may stand still, because it computes: the system keeps the connection
   * meanwhile, and so the session what it holds. A program that says nothing for longer has lost its connection, and its
   * grace begins. Default, and at most: `limits.silenceMs` of the manager, a minute. Both sides ask four times in this time,
   * or in the grace if that is shorter.
   */
  readonly maxStall?: Duration.Input | undefined
  /**
   * When it tries again. Default: at once, then after pauses that grow from 20 ms to a second. The workers of a client have
   * its grace, and the default schedule.
   */
  readonly schedule?: Schedule.Schedule<unknown> | undefined
}

/** A change of the objects of a manager. */
export type DirectoryChange =
  /** The first change, and one whenever the reader had fallen behind: all objects that exist are listed next. */
  | { readonly _tag: "Reset" }
  /** An object exists. It may also be reported as created. */
  | { readonly _tag: "Listed"; readonly object: ObjectInfo }
  | { readonly _tag: "Created"; readonly object: ObjectIdentity }
  /** An object was removed. The reader may not know it: it came and went while others were listed. */
  | { readonly _tag: "Removed"; readonly id: number }

/** A connection to a manager. */
export class Manager extends Context.Service<Manager, {
  /**
   * Returns all sessions, and all objects with their holders and waiters. The result is of one instant while sessions,
   * objects, holders and waiters are together at most 1,000. A larger manager is read in pages, as `objects`, and goes on
   * in between: the parts of the result are of different instants.
   */
  readonly inspect: Effect.Effect<Inspection, ManagerError>
  /** Returns the numbers of sessions, objects, waiting calls and grants. Costs the same for a manager of any size. */
  readonly counts: Effect.Effect<Counts, ManagerError>
  /** The connected processes by id, read in pages as `objects`. */
  readonly sessions: Stream.Stream<SessionInfo, ManagerError>
  /**
   * The objects by id. Each page is read when it is pulled, and delays other clients for about a millisecond. An object
   * that exists from the first page to the last is read exactly once. An object that is created or removed meanwhile is
   * read once or not at all.
   *
   * **On disconnect** The stream fails with `ManagerError`.
   */
  readonly objects: Stream.Stream<ObjectInfo, ManagerError>
  /** The holders of an object in order of acquisition, read in pages as `objects`. None if the object is removed. */
  readonly holders: (object: Pick<ObjectInfo, "id">) => Stream.Stream<Holder, ManagerError>
  /**
   * The calls that wait for an object in order of arrival, read in pages as `objects`. A notified `wait` of a condition
   * arrives again, to wait for the lock, and may be read twice. None if the object is removed.
   */
  readonly waiters: (object: Pick<ObjectInfo, "id">) => Stream.Stream<Waiter, ManagerError>
  /**
   * The objects that exist, then every object that is created or removed, in order. A reader that falls more than
   * `watchCredit` changes behind gets `Reset`, and the objects that exist then. A fold by id gives the objects of the
   * manager.
   *
   * **On disconnect** The stream fails with `ManagerError`.
   */
  readonly changes: Stream.Stream<DirectoryChange, ManagerError>
  /**
   * Deletes a shared object at once, also while it is in use: waiting calls fail with `ObjectDeleted`, its holds are
   * lost, and old handles never mean a new object of the same name (S-27). An object opened with an initial value lives
   * until then; others go by themselves when nobody uses them.
   */
  readonly remove: (object: Remote.Shared) => Effect.Effect<void, ManagerError>
  /**
   * Ends the session of another process, by the id that `sessions` and `holders` show, and returns whether there was one.
   * For a process that is frozen and holds what others wait for: its holds and deliveries pass on at once, as if it had
   * died, and whatever it does later fails with `ManagerError`.
   */
  readonly endSession: (session: number) => Effect.Effect<boolean, ManagerError>
  /**
   * Ends the manager, for every program: its clients are told, and its addresses are free. Only an owner may do so. A
   * manager of `layerServer` ends before its program, and so does the process of `layer`; `emp serve` ends with 0.
   */
  readonly shutdown: Effect.Effect<void, ManagerError>
  /**
   * Whether this client has a connection: now, and then at each change. A slow reader gets the newest. Ends after `Lost`. A
   * client without `reconnect` is `Connected` until it is `Lost`.
   */
  readonly status: Stream.Stream<Status>
  /** What the key of this client makes of it. Calls that the role does not permit fail with `NotPermitted`. */
  readonly role: Role
  /** The session that carries every call of this process. @internal */
  readonly connection: Connection
  /** Where other processes can reach this manager; absent: nowhere. */
  readonly endpoint: Endpoint | undefined
}>()("@effect-multiprocessing/core/Manager") {}
