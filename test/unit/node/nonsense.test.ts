/** Options that make no sense of managers with a log: a typed error at once, before anything is opened or waited for. */
import { type Log, ManagerError } from "@effect-multiprocessing/core"
import { NodeLog, NodeManager } from "@effect-multiprocessing/node"
import { PostgresLog } from "@effect-multiprocessing/postgres"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { existsSync } from "node:fs"

const refused = <E extends { readonly message: string }>(layer: Layer.Layer<never, E> | Layer.Layer<Log.Log, E>) =>
  Effect.map(Effect.flip(Effect.scoped(Layer.build(layer as Layer.Layer<never, E>))), ({ message }) => message)

it.live("of a log in a file: nothing is made", () =>
  Effect.gen(function*() {
    const path = "/tmp/no such log"
    for (
      const [word, wrong] of [
        ["its path", { path: "" }],
        ["its path", { path: undefined }],
        ["its path", { path: "a\0b" }],
        ...[0, -1, Number.NaN, -Infinity, "x"].map((bytesMax) => ["bytesMax must be", { bytesMax }] as const),
        ["survives must be", { survives: "all" }]
      ] as ReadonlyArray<readonly [string, object]>
    ) {
      const options = { path, ...wrong } as NodeLog.SqliteOptions
      assert.include(yield* refused(NodeLog.layerSqlite(options)), word)
      const durable = NodeManager.layerDurable(options).pipe(Layer.build, Effect.scoped, Effect.flip)
      const { reason } = yield* durable
      assert.instanceOf(reason, ManagerError.StartFailed)
      assert.include(reason.message, word)
      assert.isFalse(existsSync(path))
    }
  }))

it.live("of a log in PostgreSQL: no connection is made", () =>
  Effect.gen(function*() {
    const url = Redacted.make("postgres://nobody@127.0.0.1:1/none")
    for (
      const [word, wrong] of [
        ["its schema", { schema: "" }],
        ["its schema", { schema: "x".repeat(64) }],
        ["its schema", { schema: "a\0b" }],
        ...[0, -1, 0.5, Number.NaN, Infinity].map((connectionsMax) =>
          ["connectionsMax must be", { connectionsMax }] as const
        ),
        ...["answerTimeout", "heartbeat", "poll"].flatMap((name) =>
          [0, -1, Infinity, "soon"].map((time) => [`${name} must be a time`, { [name]: time }] as const)
        )
      ] as ReadonlyArray<readonly [string, object]>
    ) assert.include(yield* refused(PostgresLog.layer({ url, ...wrong } as PostgresLog.Options)), word)
  }))
