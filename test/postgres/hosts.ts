/** Hosts of a realm in this process, whose ways to PostgreSQL, and from their clients, are bad networks. */
import { Log, Manager } from "@effect-multiprocessing/core"
import { PostgresLog, PostgresManager } from "@effect-multiprocessing/postgres"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { type AddressInfo, createServer } from "node:net"
import { audit, type Counts } from "../chaos/audit.ts"
import { waitUntil } from "../process/harness.ts"
import { makeFaultyProxy } from "../support/faultyProxy.ts"

const realm = "realm"
const key = "the key of the realm"
const host = "127.0.0.1"

/** How long a leader may be silent. */
export const leaseMs = 1_000

/** The socket of a server of PostgreSQL, in its folder. */
export const socketIn = (folder: string): string => `${folder}/.s.PGSQL.5432`

/** A port that is free now. */
const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, host, () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** A way to a server of PostgreSQL, at a socket or a port, and what a log is told of it. */
export const makeWay = Effect.fnUntraced(function*(server: string | number, schema: string) {
  const network = yield* makeFaultyProxy(server, 1)
  const url = Redacted.make(`postgres://postgres@${host}:${network.port}/postgres`)
  const times = { heartbeat: leaseMs / 4, poll: leaseMs / 4, answerTimeout: 2 * leaseMs }
  return { network, options: { url, schema, ...times } satisfies PostgresLog.Options }
})

/** Opens a log for the life of the scope. */
export const openLog = (options: PostgresLog.Options) =>
  Effect.map(Layer.build(Layer.fresh(PostgresLog.layer(options))), (context) => Context.get(context, Log.Log))

/** A candidate for the realm, for the life of the scope. */
export const makeHost = (server: string | number, schema: string) =>
  Effect.gen(function*() {
    const port = yield* freePort
    const toClients = yield* makeFaultyProxy(port, 2)
    const { network: toLog, options } = yield* makeWay(server, schema)
    const context = yield* Layer.build(Layer.fresh(PostgresManager.layer({
      ...options,
      realm,
      key: Redacted.make(key),
      listen: { host, port },
      advertise: { port: toClients.port },
      lease: leaseMs,
      heartbeat: leaseMs / 4,
      reconnect: { grace: "1 minute" },
      // The audit takes the snapshots.
      compactAfter: Infinity
    })))
    return { manager: Context.get(context, Manager.Manager), toClients, toLog }
  }).pipe(
    // Another program may have taken the port.
    Effect.retry({ times: 3, while: ({ reason }) => reason._tag === "StartFailed" })
  )

/** A host, and the networks around it. */
export type Host = Effect.Success<ReturnType<typeof makeHost>>

/** What a test sees of a realm while clients work. */
export interface Sight {
  readonly counts: Readonly<Counts>
  /** Waits until the clients have got further. */
  readonly goOn: Effect.Effect<void>
  /** The epoch of the leader. */
  readonly epoch: Effect.Effect<number>
  /** Waits until a host leads. */
  readonly leads: (host: Host) => Effect.Effect<void>
}

/** Lets two clients work while something happens to the hosts. Returns what is wrong. */
export const watching = (log: Log.Log["Service"], happen: (sight: Sight) => Effect.Effect<void>) => {
  const head = Effect.orDie(Effect.map(log.head(realm), Option.getOrThrow))
  return Effect.map(
    audit({ realm, key, log, clients: [log, log], grace: "1 minute" }, (counts) =>
      happen({
        counts,
        goOn: Effect.suspend(() => {
          const before = counts.acknowledged
          return waitUntil("the clients get further", () => counts.acknowledged > before + 20)
        }),
        epoch: Effect.map(head, ({ epoch }) => epoch),
        leads: ({ toClients }) =>
          Effect.asVoid(
            Effect.repeat(Effect.delay(head, 20), {
              until: ({ leader }) => Option.exists(leader, ({ port }) => port === toClients.port)
            })
          )
      })),
    ({ wrong }) => wrong
  )
}
