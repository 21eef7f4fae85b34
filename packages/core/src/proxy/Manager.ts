/**
 * The manager as a service, and where other processes reach it. A file of its own: it loads neither the client of a
 * manager nor the server, so what only uses shared objects loads no engine.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Connection } from "../client/Connection.ts"
import type { Inspection } from "../engine/Directory.ts"
import type { ManagerError } from "../ManagerError.ts"
import type { ManagerKey } from "../protocol/Handshake.ts"
import type * as Remote from "./Remote.ts"

/** Where a manager can be reached. */
export interface Endpoint {
  /** The path of a Unix socket. */
  readonly path: string
  readonly key: ManagerKey
}

/** A connection to a manager. */
export class Manager extends Context.Service<Manager, {
  /** Returns all holders and waiters, as one atomic snapshot. */
  readonly inspect: Effect.Effect<Inspection, ManagerError>
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
