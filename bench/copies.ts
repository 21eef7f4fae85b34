/**
 * `node --conditions=@effect-multiprocessing/source bench/copies.ts` measures the best time to send an array of numbers
 * to the manager, and to read it, by its length. It prints the table of docs/big-arrays.md.
 */
import { SharedRef } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Schema } from "effect"

const rounds = 20

const milliseconds = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const times: Array<number> = []
    for (let round = 0; round < rounds; round++) {
      const start = performance.now()
      yield* effect
      times.push(performance.now() - start)
    }
    return Math.min(...times)
  })

const main = Effect.gen(function*() {
  yield* Console.log("numbers     bytes  set ms  get ms  structuredClone ms")
  for (const length of [1, 1_000, 10_000, 100_000, 500_000]) {
    const numbers = Array.from({ length }, (_, i) => Math.sqrt(i))
    const ref = yield* SharedRef.make({ schema: Schema.Array(Schema.Number), initial: [] })
    const bytes = JSON.stringify(numbers).length
    const figures = [
      yield* milliseconds(ref.set(numbers)),
      yield* milliseconds(ref.get),
      yield* milliseconds(Effect.sync(() => structuredClone(numbers)))
    ].map((figure) => figure.toFixed(2).padStart(7))
    yield* Console.log(`${String(length).padStart(7)} ${String(bytes).padStart(9)} ${figures.join(" ")}`)
  }
}).pipe(Effect.scoped)

NodeManager.runMain(main)
