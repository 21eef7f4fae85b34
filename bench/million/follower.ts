/** A candidate that follows, and replaces the entries by a snapshot as soon as it has them. Argument: the URL of PostgreSQL. */
import { kinds } from "#core/engine/kinds/index.ts"
import * as Candidate from "#core/server/Candidate.ts"
import { Limits, Log, Manager } from "@effect-multiprocessing/core"
import { PostgresLog } from "@effect-multiprocessing/postgres"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { serve } from "../child.ts"
import { key, lease, realm } from "./realm.ts"

const [url = ""] = process.argv.slice(2)

const main = Effect.gen(function*() {
  const candidate = yield* Candidate.make({
    key,
    kinds,
    leaseMs: Duration.toMillis(lease),
    limits: Limits.defaults,
    log: yield* Log.Log,
    realm,
    compactAfter: 1
  })
  yield* Effect.raceFirst(serve, candidate.run({ host: "bench", port: 2 }))
})

NodeRuntime.runMain(
  Effect.provide(main, Layer.merge(PostgresLog.layer({ url: Redacted.make(url) }), Manager.layerCrypto))
)
