/** How a task ended is told, also if it does not match its schemas, by a pool as by a process. */
import { textLengthMax } from "#core/pool/Message.ts"
import { Actor, type Manager, ManagerError, Pool, Process, Task, TaskGroup } from "@effect-multiprocessing/core"
import type { Limits } from "@effect-multiprocessing/core/Limits"
import { layerProgram } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schema, Stream } from "effect"

class QueryFailed
  extends Schema.TaggedError<QueryFailed>()("QueryFailed", { query: Schema.String, cause: Schema.Unknown })
{}

const Query = Task.make("Query", { payload: Schema.Int, success: Schema.Number, error: QueryFailed })
const Tasks = TaskGroup.make("tasks", { tasks: [Query] })

interface Case {
  readonly handler: Effect.Effect<number, QueryFailed | ManagerError.ManagerError>
  /** What is told of it. */
  readonly told: ReadonlyArray<string>
}

const cases: Readonly<Record<string, Case>> = {
  "an error with a field that does not encode": {
    handler: Effect.fail(new QueryFailed({ query: "select 1", cause: new Error("connect ECONNREFUSED") })),
    told: ["the error of Query does not match its schema: Expected JSON value", "QueryFailed", "ECONNREFUSED"]
  },
  "an error that was not declared": {
    handler: Effect.fail(new Error("not declared") as unknown as QueryFailed),
    told: ["the error of Query does not match its schema: ", "Error: not declared"]
  },
  "a result of another type": {
    handler: Effect.succeed("text" as unknown as number),
    told: ["the result of Query does not match its schema: Expected number"]
  }
}

/** The causes with which a pool's call and a process's run fail. */
const causes = ({ handler }: Pick<Case, "handler">) =>
  Effect.gen(function*() {
    const pool = yield* Pool.make(Tasks, { size: 1 })
    const causeOf = <A, E, R>(run: Effect.Effect<A, E, R>) =>
      Effect.map(Effect.exit(run), (exit): Cause.Cause<unknown> => Exit.isFailure(exit) ? exit.cause : Cause.empty)
    return [yield* causeOf(pool.execute(Query, 1)), yield* causeOf(Process.run(Tasks, Query, 1))]
  }).pipe(Effect.scoped, Effect.provide(layerProgram({ tasks: Tasks.toLayer({ Query: () => handler }) })))

describe("the program is told of", () => {
  for (const [name, one] of Object.entries(cases)) {
    it.live(name, () =>
      Effect.gen(function*() {
        const messages: Array<string> = []
        for (const cause of yield* causes(one)) {
          const defect = cause.reasons.find(Cause.isDieReason)?.defect
          const message = defect instanceof Error ? defect.message : Cause.pretty(cause)
          // The stacks are those of two runs.
          messages.push(message.split("\n").filter((line) => !/^ *at .*:\d/.test(line)).join("\n"))
        }
        for (const part of one.told) assert.include(messages[0], part)
        assert.strictEqual(messages[0], messages[1])
      }))
  }
})

it.live("a ManagerError ends a task as such, which does not declare it", () =>
  Effect.gen(function*() {
    const reason = new ManagerError.LimitExceeded({ object: "Ref", operation: "set", limit: "frameBytesMax", max: 1 })
    const handler = Effect.fail(new ManagerError.ManagerError({ reason }))
    for (const cause of yield* causes({ handler })) {
      const error = cause.reasons.find(Cause.isFailReason)?.error
      assert.instanceOf(error, ManagerError.ManagerError)
      assert.deepStrictEqual(error.reason, reason)
    }
  }))

describe("a failure that is too large, or whose text is, is told by its beginning:", () => {
  class Long
    extends Schema.TaggedError<Long>()("Long", { text: Schema.String, cause: Schema.optional(Schema.Unknown) })
  {
    override get message(): string {
      return this.text
    }
  }
  const LongQuery = Task.make("LongQuery", { payload: Schema.Int, error: Long })
  const LongTasks = TaskGroup.make("longTasks", { tasks: [LongQuery] })
  const methods = {
    query: Actor.method({ error: Long }),
    elements: Actor.stream({ success: Schema.Any })
  }

  const failures = (length: number): Readonly<Record<string, Effect.Effect<never, Long>>> => {
    const text = "the reason is here".padEnd(length, ".")
    return {
      "an error": Effect.fail(new Long({ text })),
      "a defect": Effect.die(new Error(text)),
      "an error that does not encode": Effect.fail(new Long({ text, cause: new Error(text) }))
    }
  }

  const provide = (handler: Effect.Effect<never, Long>, limits: Partial<Limits>) =>
    Effect.provide(layerProgram({ limits, tasks: LongTasks.toLayer({ LongQuery: () => handler }) }))

  const isTold = (run: Effect.Effect<unknown, unknown, Manager.Manager | Process.ProcessSpawner>) =>
    Effect.map(Effect.exit(run), (exit) => {
      const told = Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""
      assert.include(told, "the reason is here")
      assert.isBelow(told.length, 10_000)
    })

  for (const [name, handler] of Object.entries(failures(50_000))) {
    it.live(`${name} of an actor and of a process`, () =>
      Effect.gen(function*() {
        const actor = yield* Actor.make({ methods })
        yield* Effect.forkScoped(Actor.serve(actor, { query: () => handler, elements: () => Stream.empty }))
        yield* isTold(actor.query)
        yield* isTold(Process.run(LongTasks, LongQuery, 1))
      }).pipe(Effect.scoped, provide(handler, { frameBytesMax: 16_384 })))
  }

  for (const [name, handler] of Object.entries(failures(textLengthMax))) {
    it.live(`${name} of a pool`, () =>
      Effect.flatMap(Pool.make(LongTasks, { size: 1 }), (pool) => isTold(pool.execute(LongQuery, 1))).pipe(
        Effect.scoped,
        provide(handler, {})
      ))
  }

  it.live("an element of a stream is named by its actor, not by the queue that it goes through", () =>
    Effect.gen(function*() {
      const actor = yield* Actor.make({ methods })
      for (
        const [element, why] of [[() => 1, "does not match its schema"], ["x".repeat(50_000), "would exceed"]] as const
      ) {
        const serving = yield* Effect.forkScoped(
          Actor.serve(actor, { query: () => Effect.void, elements: () => Stream.make(1, element) })
        )
        const exit = yield* Effect.exit(Stream.runDrain(actor.elements))
        const told = Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""
        assert.match(told, /elements (on|of) Actor/)
        assert.include(told, why)
        assert.notInclude(told, "Queue")
        yield* Fiber.interrupt(serving)
      }
    }).pipe(Effect.scoped, provide(Effect.never, { frameBytesMax: 16_384 })))
})
