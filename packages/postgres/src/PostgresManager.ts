/**
 * A manager on several machines: PostgreSQL has its log and decides which host leads.
 *
 * | layer         | this process                                  |
 * | ------------- | --------------------------------------------- |
 * | `layer`       | may lead, and uses the manager                |
 * | `layerClient` | uses the manager, wherever it is              |
 *
 * A process with several realms builds `NodeRealm.layer` and `NodeRealm.layerClient` on one `PostgresLog.layer`.
 */
import { Log, type Manager, ManagerError } from "@effect-multiprocessing/core"
import { NodeRealm } from "@effect-multiprocessing/node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { millisecondsOf } from "./duration.ts"
import * as PostgresLog from "./PostgresLog.ts"

/** Options of `layer`. */
export interface CandidateOptions extends NodeRealm.CandidateOptions, Omit<PostgresLog.Options, "access"> {}

/** Options of `layerClient`. */
export interface ClientOptions extends NodeRealm.ClientOptions, Omit<PostgresLog.Options, "access"> {}

/**
 * Makes this process a candidate for a realm, and a client of whoever leads: maybe itself. What a client was told is in
 * PostgreSQL before, so nothing of it is lost when a host ends: another candidate goes on in the same state. Building the
 * layer fails with `StartFailed` if PostgreSQL cannot be used, and as `NodeRealm.layer`.
 *
 * **Fairness**, **Cancellation** and **On disconnect** as `NodeRealm.layer`.
 */
export const layer = (options: CandidateOptions): Layer.Layer<Manager.Manager, ManagerError.ManagerError> =>
  Layer.provide(
    NodeRealm.layer(options),
    Layer.suspend(() => {
      const issue = leaseIssue(options)
      return issue === undefined
        ? openLog(options, "write", ManagerError.StartFailed)
        : failed(new ManagerError.StartFailed({ address: addressOf(options), issue }))
    })
  )

/**
 * A connection to whichever host leads a realm. Its role in PostgreSQL needs only to read. Building the layer fails with
 * `ConnectFailed` if PostgreSQL cannot be used, and as `NodeRealm.layerClient`.
 *
 * **Fairness**, **Cancellation** and **On disconnect** as `NodeRealm.layerClient`.
 */
export const layerClient = (options: ClientOptions): Layer.Layer<Manager.Manager, ManagerError.ManagerError> =>
  Layer.provide(NodeRealm.layerClient(options), openLog(options, "read", ManagerError.ConnectFailed))

// internals

const addressOf = ({ realm }: Pick<ClientOptions, "realm">): string => `the leader of "${realm}"`

const failed = (reason: ManagerError.StartFailed | ManagerError.ConnectFailed) =>
  Layer.effect(Log.Log, Effect.fail(new ManagerError.ManagerError({ reason })))

/** Why a leader would be silent for a lease between two heartbeats; undefined: it would not. */
const leaseIssue = (
  { heartbeat = PostgresLog.defaultHeartbeat, lease = NodeRealm.defaultLease }: CandidateOptions
): string | undefined => {
  const [heartbeatMs, leaseMs] = [millisecondsOf(heartbeat), millisecondsOf(lease)]
  return heartbeatMs < Infinity && 4 * heartbeatMs > leaseMs
    ? `lease must be at least four heartbeats, it is ${leaseMs} ms, and heartbeat is ${heartbeatMs} ms`
    : undefined
}

/** The log of a realm. */
const openLog = (
  options: PostgresLog.Options & Pick<ClientOptions, "realm">,
  access: PostgresLog.Options["access"],
  Reason: typeof ManagerError.StartFailed | typeof ManagerError.ConnectFailed
) =>
  Layer.catchTag(
    PostgresLog.layer({ ...options, access }),
    "LogNotOpened",
    ({ message }) => failed(new Reason({ address: addressOf(options), issue: message }))
  )
