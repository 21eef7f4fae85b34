/** Bodies that run under holds, and wait for them: what really runs is compared with a model after each step. */
import { assert } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"

/** Which bodies run, as it should be. */
export interface BodiesModel {
  readonly running: ReadonlyMap<number, unknown>
  readonly end: (id: number) => void
}

/** How a random program begins bodies. */
export interface BodiesOptions<What> {
  /** Tells the model that a body wants to run, and returns the effect that runs it. */
  readonly begin: (id: number, what: What, n: number, body: Effect.Effect<void>) => Effect.Effect<unknown, unknown>
  /** Compares what the object tells of itself, after each step. */
  readonly compare: Effect.Effect<void, unknown>
}

/** Runs a program. Every body is interrupted in the end. */
export const followBodies = <What extends string>(
  model: BodiesModel,
  program: ReadonlyArray<readonly [What | "finish" | "interrupt", number]>,
  { begin, compare }: BodiesOptions<What>
) =>
  Effect.gen(function*() {
    const running = new Set<number>()
    const alive = new Map<number, readonly [Fiber.Fiber<unknown, unknown>, Deferred.Deferred<void>]>()
    for (const [id, [what, n]] of program.entries()) {
      if (what === "finish" || what === "interrupt") {
        const [chosen, [fiber, end] = []] = [...alive][Math.abs(n) % Math.max(1, alive.size)] ?? []
        if (chosen === undefined || fiber === undefined || end === undefined) continue
        if (what === "finish" && model.running.has(chosen)) {
          yield* Deferred.succeed(end, undefined)
          yield* Fiber.join(fiber)
        } else yield* Fiber.interrupt(fiber)
        alive.delete(chosen)
        model.end(chosen)
      } else {
        const end = yield* Deferred.make<void>()
        const body = Effect.suspend(() => {
          running.add(id)
          return Effect.ensuring(Deferred.await(end), Effect.sync(() => running.delete(id)))
        })
        // All other words are those of `begin`.
        const use = begin(id, what as What, n, body)
        alive.set(id, [yield* Effect.forkChild(use, { startImmediately: true }), end])
      }
      yield* compare
      yield* Effect.repeat(Effect.yieldNow, { times: 99, while: () => running.size !== model.running.size })
      assert.deepStrictEqual([...running].sort(), [...model.running.keys()].sort())
    }
    for (const [fiber] of alive.values()) yield* Fiber.interrupt(fiber)
  })
