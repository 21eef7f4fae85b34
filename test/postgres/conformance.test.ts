/** The suites on managers whose log is in PostgreSQL. */
import { Log } from "@effect-multiprocessing/core"
import { PostgresLog } from "@effect-multiprocessing/postgres"
import { Context, Effect, Layer, Redacted } from "effect"
import { inject } from "vitest"
import { durableConformance } from "../conformance/durable.ts"
import { budget } from "../support/budget.ts"

let schemas = 0

const postgres = Effect.suspend(() =>
  Effect.map(
    Layer.build(PostgresLog.layer({
      url: Redacted.make(`postgres://postgres@localhost/postgres?host=${inject("postgres")}`),
      schema: `conformance ${++schemas}`
    })),
    (context) => Context.get(context, Log.Log)
  )
)

durableConformance("with a log in PostgreSQL", budget(1), postgres)
