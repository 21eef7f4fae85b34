/** The chaos of a realm, on a PostgreSQL of its own, and whether its leaders were replaced in time. */
import { Effect } from "effect"
import { makeFolder, startServer } from "../support/postgres.ts"
import { chaosOfRealm, medianOf } from "./realm.ts"

const leaseMs = 2_000

/** How long a leader is frozen, once in a run. */
const longMs = 60_000

/** Runs it. Returns what is wrong. */
export const chaosOfPostgres = Effect.fnUntraced(
  function*(
    options: {
      readonly strikes: number
      readonly clients: number
      readonly seed: number
      readonly mutant: string | undefined
    }
  ) {
    const folder = makeFolder()
    yield* Effect.acquireRelease(Effect.promise(() => startServer(folder)), ({ remove }) => Effect.promise(remove))
    const { frozen, killed, wrong } = yield* chaosOfRealm({
      ...options,
      leaseMs,
      longMs,
      url: `postgres://postgres@localhost/postgres?host=${folder}`,
      schema: "chaos"
    })
    return [
      ...wrong,
      ...medianOf(killed) > 1_000 ? [`${medianOf(killed)} ms without a leader after a kill`] : [],
      ...medianOf(frozen) > leaseMs + 500 ? [`${medianOf(frozen)} ms without a leader after a freeze`] : []
    ]
  },
  Effect.scoped
)
