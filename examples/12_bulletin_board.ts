/**
 * A namespace as a bulletin board: one process writes, others read, and reading a list returns a copy. The second
 * program of the blog post "Manager Namespaces for IPC Between Python Process Pools" (SEED-38, 39, 13, 41).
 *
 *     $ npm run example examples/12_bulletin_board.ts
 *     testValue (original): original value
 *     testList (original): [ 5 ]
 *     testValue (updated): new value
 *     testList (a copy was changed): [ 5 ]
 *     testList (updated): [ 5, 6 ]
 *     posted: 1
 *
 * Improvements: a value that was read is readonly, so a change that would not be shared does not compile. `update`
 * changes the list for all processes, and loses no concurrent change of another one.
 */
import { SharedNamespace } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Schema } from "effect"

class Board extends SharedNamespace.Service<Board>()("post/Board", {
  fields: { testValue: Schema.String, testList: Schema.Array(Schema.Int), posted: Schema.Int },
  initial: { testValue: "original value", testList: [5], posted: 0 }
}) {}

const main = Effect.gen(function*() {
  const { posted, testList, testValue } = (yield* Board).fields
  yield* Console.log("testValue (original):", yield* testValue.get)
  yield* Console.log("testList (original):", yield* testList.get)

  yield* testValue.set("new value")
  const copy = [...yield* testList.get]
  copy.push(6)
  yield* Console.log("testValue (updated):", yield* testValue.get)
  yield* Console.log("testList (a copy was changed):", yield* testList.get)

  yield* testList.update((list) => [...list, 6])
  yield* Console.log("testList (updated):", yield* testList.get)
  yield* Console.log("posted:", yield* posted.increment)
}).pipe(Effect.provide(Board.layer))

NodeManager.runMain(main)
