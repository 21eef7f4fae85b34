/**
 * Nested data in a shared map: as values, which are copied as a whole, and as shared objects within shared objects,
 * which stay live. The overview article names nested data as an advantage of `Manager` over `Value` and `Array`
 * (SEED-58).
 *
 *     $ npm run example examples/21_nested.ts
 *     { name: 'Ada', tags: [ 'a', 'b' ], score: { wins: 1, losses: 0 } }
 *     { name: 'Ada', tags: [ 'a', 'b', 'c' ], score: { wins: 2, losses: 0 } }
 *     a value's copy: { wins: 1, losses: 0 }
 *     a shared object: { losses: 0, wins: 2 }
 */
import { Process, SharedMap, SharedNamespace, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Option, Schema } from "effect"

const Player = Schema.Struct({
  name: Schema.String,
  tags: Schema.Array(Schema.String),
  score: Schema.Struct({ wins: Schema.Int, losses: Schema.Int })
})
const score = { wins: Schema.Int, losses: Schema.Int }

/** Players by number. */
class Players extends SharedMap.Service<Players>()("nested/Players", { key: Schema.Int, value: Player }) {}

/** Scores by number; each is a shared object of its own. */
class Scores extends SharedMap.Service<Scores>()("nested/Scores", {
  key: Schema.Int,
  value: SharedNamespace.schema({ fields: score })
}) {}

const Win = Task.make("Win", { payload: { number: Schema.Int } })
const Tasks = TaskGroup.make("nested", { tasks: [Win] })
const layerShared = Layer.merge(Players.layer, Scores.layer)

const tasks = Tasks.toLayer({
  Win: Effect.fn(function*({ number }) {
    const players = yield* Players
    const scores = yield* Scores
    yield* players.modify(number, (player) => [
      undefined,
      Option.map(player, ({ name, score, tags }) => ({
        name,
        tags: [...tags, "c"],
        score: { ...score, wins: score.wins + 1 }
      }))
    ])
    const mine = Option.getOrThrow(yield* scores.get(number))
    yield* mine.fields.wins.increment
  }, Effect.orDie)
}).pipe(Layer.provide(layerShared))

const main = Effect.gen(function*() {
  const players = yield* Players
  const scores = yield* Scores
  yield* players.set(1, { name: "Ada", tags: ["a", "b"], score: { wins: 1, losses: 0 } })
  yield* scores.set(1, yield* SharedNamespace.make({ fields: score, initial: { wins: 1, losses: 0 } }))

  const before = Option.getOrThrow(yield* players.get(1))
  const live = Option.getOrThrow(yield* scores.get(1))
  yield* Process.run(Tasks, Win, { number: 1 })

  yield* Console.log(before)
  yield* Console.log(Option.getOrThrow(yield* players.get(1)))
  yield* Console.log("a value's copy:", before.score)
  yield* Console.log("a shared object:", yield* live.get)
}).pipe(Effect.provide(layerShared))

NodeManager.runMain(main, { tasks })
