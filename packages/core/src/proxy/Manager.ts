/**
 * The manager as a service, and where other processes reach it. A file of its own: it loads neither the client of a
 * manager nor the server, so what only uses shared objects loads no engine.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { Connection } from "../client/Connection.ts"
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

/** Where a manager can be reached. */
export interface Endpoint {
  /** The path of a Unix socket. */
  readonly path: string
  readonly key: ManagerKey
}

/** What happens to the objects of a manager. */
export type DirectoryChange =
  /** First, and whenever the reader had fallen behind: it forgets the objects that it knew. All are listed anew. */
  | { readonly _tag: "Reset" }
  /** An object is there. It may be told as created, too. */
  | { readonly _tag: "Listed"; readonly object: ObjectInfo }
  | { readonly _tag: "Created"; readonly object: ObjectIdentity }
  /** An object is gone. It may be one that was not told, having come and gone while the others were listed. */
  | { readonly _tag: "Removed"; readonly id: number }

/** A connection to a manager. */
export class Manager extends Context.Service<Manager, {
  /**
   * Which process holds what and waits for what. Of one instant while sessions, objects, holders and waiters are together
   * at most 1,000. Of a larger manager it is collected from `sessions`, `objects`, `holders` and `waiters`, while the
   * manager goes on: its parts are then of different instants.
   */
  readonly inspect: Effect.Effect<Inspection, ManagerError>
  /** How many sessions, objects, waiting calls and grants there are. Costs the same, however many there are. */
  readonly counts: Effect.Effect<Counts, ManagerError>
  /** The connected processes, by id. Read in pages, as `objects`. */
  readonly sessions: Stream.Stream<SessionInfo, ManagerError>
  /**
   * The objects, by id. They are read page by page, each page when it is pulled: it delays other clients for about a
   * millisecond, however many objects there are. An object that lives from the first page to the last is read once; one
   * that is created or removed meanwhile is read once or not at all.
   */
  readonly objects: Stream.Stream<ObjectInfo, ManagerError>
  /** What is held of an object and by which process, in order of acquisition. Read in pages, as `objects`. */
  readonly holders: (object: Pick<ObjectInfo, "id">) => Stream.Stream<Holder, ManagerError>
  /**
   * Which calls wait for an object, in order of arrival. Read in pages, as `objects`. A call that comes to wait for
   * something else meanwhile, as `wait` of a condition does when it is notified, arrives anew and is read again.
   */
  readonly waiters: (object: Pick<ObjectInfo, "id">) => Stream.Stream<Waiter, ManagerError>
  /**
   * The objects that are there, then each that is created or removed, in order. A reader that falls behind gets a `Reset`,
   * and the objects that are there then. Folding what is told, by id, gives the objects of the manager.
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
  /** The session that carries every call of this process. @internal */
  readonly connection: Connection
  /** Where other processes can reach this manager; absent: nowhere. */
  readonly endpoint: Endpoint | undefined
}>()("@effect-multiprocessing/core/Manager") {}
