/**
 * A model server: a process of its own loads a model once, and answers other processes. Its methods are those of an
 * actor; one returns a stream. Python's name for it is a registered class of a `BaseManager`.
 *
 *     $ npm run example examples/29_model_server/main.ts
 *     word by word: the quick brown fox jumps
 *     3 words at most: the quick brown
 *     no words for "": EmptyPrompt
 *     the server was killed after: the quick
 *     the stream failed with ActorDied
 *     the next server: the quick brown fox jumps
 *
 * The supervisor is one line: it starts the process again when it ends. Calls wait until a server receives them.
 */
import { Actor, Process, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Schedule, Schema, Stream } from "effect"

class EmptyPrompt extends Schema.TaggedError<EmptyPrompt>()("EmptyPrompt", {}) {}

class Model extends Actor.Service<Model>()("model/Model", {
  methods: {
    generate: Actor.stream({
      payload: { prompt: Schema.String, millisecondsForAWord: Schema.Int },
      success: Schema.String,
      error: EmptyPrompt
    }),
    pid: Actor.method({ success: Schema.Int })
  }
}) {}

/** The model: each word leads to the next. */
const load = Effect.succeed(new Map([["the", "quick"], ["quick", "brown"], ["brown", "fox"], ["fox", "jumps"]]))

const serve = Effect.gen(function*() {
  const next = yield* load
  return yield* Model.serve({
    generate: ({ millisecondsForAWord, prompt }) =>
      prompt === "" ?
        Stream.fail(new EmptyPrompt()) :
        Stream.iterate<string | undefined>(prompt, (word) => next.get(word!))
          .pipe(
            Stream.takeWhile((word) => word !== undefined),
            Stream.tap(() => Effect.sleep(millisecondsForAWord))
          ),
    pid: () => Effect.succeed(process.pid)
  }, { concurrency: 8, standby: true })
})

const Serve = Task.make("Serve")
const Tasks = TaskGroup.make("model", { tasks: [Serve] })
const tasks = Tasks.toLayer({ Serve: () => Effect.catchTag(serve, "AlreadyServed", Effect.die) }).pipe(
  Layer.provide(Model.layer)
)

const main = Effect.gen(function*() {
  const model = yield* Model
  yield* Effect.forkScoped(Effect.retry(Process.run(Tasks, Serve), Schedule.forever))
  const generate = (prompt: string, millisecondsForAWord = 1) => model.generate({ prompt, millisecondsForAWord })

  yield* Console.log("word by word:", (yield* Stream.runCollect(generate("the"))).join(" "))
  // The end of the reader ends the generation.
  yield* Console.log("3 words at most:", (yield* Stream.runCollect(Stream.take(generate("the"), 3))).join(" "))
  yield* Console.log(`no words for "":`, (yield* Effect.flip(Stream.runDrain(generate(""))))._tag)

  const pid = yield* model.pid
  const words: Array<string> = []
  const error = yield* generate("the", 200).pipe(
    Stream.runForEach((word) => Effect.sync(() => words.push(word) === 2 && process.kill(pid, "SIGKILL"))),
    Effect.flip
  )
  yield* Console.log("the server was killed after:", words.join(" "))
  yield* Console.log("the stream failed with", error._tag)
  yield* Console.log("the next server:", (yield* Stream.runCollect(generate("the"))).join(" "))
}).pipe(Effect.provide(Model.layer), Effect.scoped)

NodeManager.runMain(main, { tasks })
