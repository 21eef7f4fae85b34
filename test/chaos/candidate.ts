/**
 * A process that is a candidate for a realm, and does nothing else. Its argument is JSON: `CandidateArguments`. Its output
 * says when it is ready, when it leads, and when it is refused. A mutant takes out what keeps the history right: the run
 * must find it.
 */
import { Log } from "@effect-multiprocessing/core"
import { NodeRealm } from "@effect-multiprocessing/node"
import { PostgresLog } from "@effect-multiprocessing/postgres"
import { NodeRuntime } from "@effect/platform-node"
import * as PgPool from "@effect/sql-pg/PgPool"
import { Console, Effect, Fiber, Layer, Option, Redacted, References } from "effect"
import { repeat } from "./repeating.ts"

/** What a candidate is told. */
export interface CandidateArguments {
  readonly url: string
  readonly schema: string
  readonly realm: string
  readonly key: string
  readonly leaseMs: number
  readonly mutant: string | undefined
}

const { key, leaseMs, mutant, realm, schema, url }: CandidateArguments = JSON.parse(process.argv[2]!)

const withLeadership = (
  log: Log.Log["Service"],
  change: (leadership: Log.Leadership) => Partial<Log.Leadership>
): Log.Log["Service"] => ({
  ...log,
  claim: (...args) =>
    Effect.map(log.claim(...args), Option.map((leadership) => ({ ...leadership, ...change(leadership) })))
})

/** The store compares no epoch: a leader that was replaced writes behind the last entry, and believes that it leads. */
const unfenced = ({ append, epoch }: Log.Leadership): Partial<Log.Leadership> => ({
  confirm: Effect.void,
  renew: Effect.sleep(leaseMs / 4),
  append: (after, bytes) =>
    Effect.catchTag(append(after, bytes), "Fenced", () =>
      Effect.gen(function*() {
        const pool = yield* PgPool.make({ url: Redacted.make(url), maxConnections: 1 })
        const sql = `with realm as (
          update "${schema}".realm set position = position + 1, written = $1 returning id, position
        ) insert into "${schema}".entry select id, position, $1, $2 from realm`
        yield* pool.use((connection) => connection.query(sql, [epoch, bytes]))
      }).pipe(Effect.scoped, Effect.orDie))
})

/** Replies leave before the log has what led to them, which comes a little later. */
const early = ({ append }: Log.Leadership): Partial<Log.Leadership> => {
  let last: Effect.Effect<unknown> = Effect.void
  return {
    append: (after, bytes) =>
      Effect.gen(function*() {
        const made = yield* Effect.forkDetach(
          Effect.delay(last, 20).pipe(Effect.andThen(Effect.exit(append(after, bytes))))
        )
        last = Fiber.await(made)
      })
  }
}

/** Replies leave a little later than they might. */
const late = ({ append }: Log.Leadership): Partial<Log.Leadership> => ({
  append: (after, bytes) => Effect.tap(append(after, bytes), Effect.sleep(20))
})

const mutants: Record<string, (log: Log.Log["Service"]) => Log.Log["Service"]> = {
  unfenced: (log) => withLeadership(log, unfenced),
  early: (log) => withLeadership(log, early),
  repeating: (log) => {
    repeat()
    return withLeadership(log, late)
  }
}

const layerLog = PostgresLog.layer({
  url: Redacted.make(url),
  schema,
  heartbeat: leaseMs / 4,
  poll: leaseMs / 4
})

const layerMutant = mutant === undefined
  ? layerLog
  : Layer.effect(Log.Log, Effect.map(Log.Log, mutants[mutant]!)).pipe(Layer.provide(layerLog))

const layer = NodeRealm.layer({
  realm,
  key: Redacted.make(key),
  listen: { host: "127.0.0.1", port: 0 },
  lease: leaseMs,
  // The journal of the run must read every entry before it is gone, so it takes the snapshots.
  compactAfter: Infinity,
  reconnect: { grace: "1 minute" }
}).pipe(Layer.provide(layerMutant))

NodeRuntime.runMain(
  Layer.launch(Layer.provideMerge(Layer.effectDiscard(Console.log("ready")), layer)).pipe(
    Effect.provideService(References.MinimumLogLevel, "Debug")
  )
)
