/** The chaos of a realm, on a PostgreSQL of its own, and whether its leaders were replaced in time. */
import { Effect } from "effect"
import { setup } from "../support/postgres.ts"
import { chaosOfRealm, medianOf } from "./realm.ts"

const leaseMs = 2_000

/** How long a leader is frozen, once in a run. */
const longMs = 60_000

/** Starts a PostgreSQL for the life of the scope. Returns the folder of its socket. */
const postgres = Effect.map(
  Effect.acquireRelease(
    Effect.promise(async () => {
      let folder = ""
      const end = await setup({ provide: (_, provided) => folder = provided })
      return { folder, end }
    }),
    ({ end }) => Effect.promise(end)
  ),
  ({ folder }) => folder
)

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
    const url = `postgres://postgres@localhost/postgres?host=${yield* postgres}`
    const { frozen, killed, wrong } = yield* chaosOfRealm({
      ...options,
      leaseMs,
      longMs,
      url,
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
