/**
 * A crawler of some processes. It knows of no machines: how many of them crawl, and where the frontier is, is said by the layer
 * of its manager (`machine.ts`).
 */
import { Process, Task, TaskGroup } from "@effect-multiprocessing/core"
import { Console, Effect, Layer } from "effect"
import { TheFrontier } from "../28_crawler/frontier.ts"
import { fetchLinks, home } from "./web.ts"

const Crawl = Task.make("Crawl")
const Tasks = TaskGroup.make("crawler", { tasks: [Crawl] })

/** The page is held until it has been visited. If this process dies before, another one visits it. */
const visit = Effect.scoped(Effect.gen(function*() {
  const frontier = yield* TheFrontier
  const pages = yield* fetchLinks(yield* frontier.next)
  yield* frontier.add({ pages })
}))

export const tasks = Tasks.toLayer({
  Crawl: () => Effect.forever(visit).pipe(Effect.catchTag("Finished", () => Effect.void), Effect.orDie)
}).pipe(Layer.provide(TheFrontier.layer))

export const main = Effect.gen(function*() {
  const frontier = yield* TheFrontier
  yield* frontier.add({ pages: [home] })
  yield* Console.log("crawls with two processes")
  yield* Effect.all([Process.run(Tasks, Crawl), Process.run(Tasks, Crawl)], { concurrency: "unbounded" })
  const { seen } = yield* frontier.state.get
  yield* Console.log(`${Object.keys(seen).length} pages have been visited`)
}).pipe(Effect.provide(TheFrontier.layer))
