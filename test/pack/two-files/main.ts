/** A program whose workers run another file. It is named as TypeScript, but exists only as JavaScript after a build. */
import { Process } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect } from "effect"
import { Done, Square, Tasks } from "./tasks.ts"

const main = Effect.gen(function*() {
  const squares = yield* Effect.forEach([3, 4], (n) => Process.run(Tasks, Square, { n }), { concurrency: 2 })
  yield* Console.log(`squares ${squares.join(" and ")}, done ${yield* (yield* Done).get}`)
}).pipe(Effect.provide(Done.layer), Effect.scoped)

NodeManager.runMain(main, { entry: new URL("./worker.ts", import.meta.url) })
