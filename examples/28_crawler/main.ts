/**
 * A crawler of several processes that visits each page once, and no host too often. Its frontier is a kind of the
 * program's own, whose operation `next` waits until a time.
 *
 *     $ npm run example examples/28_crawler/main.ts
 *     a crawler was killed in the middle of a visit
 *     15 pages visited, each to its end once
 *     no host was visited twice within 50 ms
 *
 * The page that the killed process visited is visited by another one: a hold ends with its process.
 */
import { Process, SharedMap, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Fiber, Layer, Schema } from "effect"
import { TheFrontier } from "./frontier.ts"

/** How often each page was visited to its end. */
class Visited extends SharedMap.Service<Visited>()("crawler/Visited", { key: Schema.String, value: Schema.Int }) {}

const Crawl = Task.make("Crawl", { payload: { millisecondsForAPage: Schema.Int } })
const Tasks = TaskGroup.make("crawler", { tasks: [Crawl] })

/** The links of a page: three hosts have five pages each. */
const linksOf = (path: string) =>
  ["a.example", "b.example", "c.example"].map((host) => ({ host, path: `/${(Number(path.slice(1)) + 1) % 5}` }))

const visit = (milliseconds: number) =>
  Effect.scoped(Effect.gen(function*() {
    const frontier = yield* TheFrontier
    const { host, path } = yield* frontier.next
    yield* Effect.sleep(milliseconds)
    yield* frontier.add({ pages: linksOf(path) })
    yield* (yield* Visited).add(host + path, 1)
  }))

const shared = Layer.mergeAll(TheFrontier.layer, Visited.layer)

const tasks = Tasks.toLayer({
  Crawl: ({ millisecondsForAPage }) =>
    Effect.forever(visit(millisecondsForAPage)).pipe(Effect.catchTag("Finished", () => Effect.void), Effect.orDie)
}).pipe(Layer.provide(shared))

const main = Effect.gen(function*() {
  const frontier = yield* TheFrontier
  yield* frontier.add({ pages: linksOf("/4") })
  const slow = yield* Process.spawn(Tasks, Crawl, { millisecondsForAPage: 3_600_000 })
  yield* frontier.state.until(({ visiting }) => Object.keys(visiting).length > 0)
  const others = yield* Effect.forkChild(
    Effect.all([1, 2].map(() => Process.run(Tasks, Crawl, { millisecondsForAPage: 5 })), { concurrency: "unbounded" })
  )
  yield* slow.kill()
  yield* Console.log("a crawler was killed in the middle of a visit")
  yield* Fiber.join(others)

  const visited = yield* (yield* Visited).entries
  const once = visited.every(([, times]) => times === 1)
  yield* Console.log(`${visited.length} pages visited, ${once ? "each to its end once" : "some more than once"}`)
  const { politenessMs, visits } = yield* frontier.state.get
  const pauses = Object.values(visits).flatMap((times) => times.slice(1).map((time, i) => time - times[i]!))
  yield* Console.log(
    pauses.every((pause) => pause >= politenessMs)
      ? `no host was visited twice within ${politenessMs} ms`
      : "a host was visited too soon"
  )
}).pipe(Effect.provide(shared), Effect.scoped)

NodeManager.runMain(main, { tasks, kinds: [TheFrontier] })
