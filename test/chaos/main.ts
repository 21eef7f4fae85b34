/**
 * What must go well while processes are killed and frozen, calls are interrupted, and the network fails: `pools.ts`,
 * `network.ts` and `realm.ts`.
 *
 *     npm run chaos -- [--tasks N] [--interruptions N] [--workers N] [--seed N]
 *     npm run chaos -- --network [--seconds N] [--clients N] [--seed N] [--unfenced]
 *     npm run chaos -- --postgres [--strikes N] [--clients N] [--seed N] [--mutant unfenced|early|repeating]
 */
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Data, Effect, FileSystem, Layer } from "effect"
import { parseArgs } from "node:util"
import { chaosOfNetwork } from "./network.ts"
import { chaosOfPools } from "./pools.ts"
import { chaosOfPostgres } from "./postgres.ts"
import { riding } from "./rider.ts"
import { tasks } from "./tasks.ts"

class BadUsage extends Data.TaggedError("BadUsage")<{ readonly message: string }> {}

const numbers = { tasks: 5_000, interruptions: 2_000, workers: 3, seconds: 60, strikes: 200, clients: 4, seed: 1 }

const options = Effect.try({
  try: () => {
    const option = { type: "string" } as const
    const { values: { network = false, postgres = false, unfenced = false, mutant, ...values } } = parseArgs({
      options: {
        network: { type: "boolean" },
        postgres: { type: "boolean" },
        mutant: option,
        unfenced: { type: "boolean" },
        tasks: option,
        interruptions: option,
        workers: option,
        seconds: option,
        strikes: option,
        clients: option,
        seed: option
      }
    })
    const chosen = { network, postgres, unfenced, mutant, ...numbers }
    for (const [name, text] of Object.entries(values)) {
      const value = Number(text)
      if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a whole number of at least 1`)
      Object.assign(chosen, { [name]: value })
    }
    return chosen
  },
  catch: (error) => new BadUsage({ message: (error as Error).message })
})

const main = Effect.gen(function*() {
  const chosen = yield* options
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "emp-chaos-" })
  yield* Console.log(`seed ${chosen.seed}`)
  const wrong = yield* chosen.postgres
    ? chaosOfPostgres(chosen)
    : chosen.network
    ? chaosOfNetwork(chosen, folder)
    : chaosOfPools(chosen, folder)
  for (const issue of wrong.slice(0, 20)) yield* Console.error(issue)
  yield* Console.log(wrong.length === 0 ? "all is well" : `${wrong.length} things are wrong`)
  if (wrong.length > 0) process.exitCode = 2
}).pipe(
  Effect.scoped,
  Effect.catchTag(
    "BadUsage",
    ({ message }) => Effect.andThen(Console.error(message), Effect.sync(() => process.exitCode = 1))
  )
)

NodeManager.runMain(main, { tasks: Layer.merge(tasks, riding) })
