/**
 * The limit of a manager whose state is in PostgreSQL: it appends an entry of its log for each call, without a manager and
 * without a client of one. Argument: the URL.
 */
import { Log } from "@effect-multiprocessing/core"
import { PostgresLog } from "@effect-multiprocessing/postgres"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { answer } from "../child.ts"
import { fibers } from "../loops.ts"

const [url = ""] = process.argv.slice(2)

/** As the entry of one `map.set`. */
const bytes = new Uint8Array(100)

const main = Effect.gen(function*() {
  const log = yield* Log.Log
  const { append, position } = Option.getOrThrow(yield* log.claim("bench", Option.none(), { host: "bench", port: 0 }))
  let end = position
  yield* answer((task) => fibers(task.fibers, () => append(end++, bytes)))
})

NodeRuntime.runMain(Effect.scoped(Effect.provide(main, PostgresLog.layer({ url: Redacted.make(url) }))))
