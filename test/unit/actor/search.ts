/** An actor of the tests: an index of words. */
import { Actor, SharedList } from "@effect-multiprocessing/core"
import { Deferred, Effect, Schema, Stream } from "effect"

export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { word: Schema.String }) {}

/** The actor that `open` returns. */
export const session = { bump: Actor.method({ success: Schema.Int }), end: Actor.method() }

export const methods = {
  add: Actor.method({ payload: { word: Schema.String, page: Schema.Int } }),
  find: Actor.method({ payload: { word: Schema.String }, success: Schema.Array(Schema.Int), error: NotFound }),
  words: Actor.stream({ success: Schema.String }),
  count: Actor.stream({ payload: { to: Schema.Int }, success: Schema.Int, error: NotFound }),
  block: Actor.method(),
  boom: Actor.method(),
  huge: Actor.method({ payload: Schema.Int, success: Schema.String }),
  log: Actor.method({ success: SharedList.schema(Schema.String) }),
  open: Actor.method({ success: Actor.schema(session) })
}

export class Search extends Actor.Service<Search>()("app/Search", { methods }) {}

/** The handlers of one host, and what they note. `go` lets the blocked ones go on. */
export const makeHandlers = Effect.gen(function*() {
  const index = new Map<string, Array<number>>()
  const go = yield* Deferred.make<void>()
  const notes: Array<string> = []
  const log = yield* SharedList.make({ item: Schema.String })
  const scope = yield* Effect.scope
  return {
    go: Deferred.succeed(go, undefined),
    notes,
    handlers: {
      add: ({ page, word }: { readonly page: number; readonly word: string }) =>
        Effect.sync(() => {
          index.set(word, [...index.get(word) ?? [], page])
        }),
      find: ({ word }: { readonly word: string }) => {
        const pages = index.get(word)
        return pages === undefined ? Effect.fail(new NotFound({ word })) : Effect.succeed(pages)
      },
      words: () => Stream.suspend(() => Stream.fromIterable(index.keys())),
      count: ({ to }: { readonly to: number }) =>
        Stream.range(1, to).pipe(
          Stream.rechunk(1),
          Stream.tap((n) => Effect.sync(() => notes.push(`counted ${n}`))),
          Stream.concat(Stream.fail(new NotFound({ word: "the end" }))),
          Stream.onExit((exit) => Effect.sync(() => notes.push(`count: ${exit._tag}`)))
        ),
      block: () =>
        Effect.suspend(() => {
          notes.push("blocked")
          return Deferred.await(go)
        }).pipe(Effect.onInterrupt(() => Effect.sync(() => notes.push("interrupted")))),
      boom: () => Effect.die(new Error("kaboom")),
      huge: (length: number) => Effect.succeed("x".repeat(length)),
      log: () => Effect.succeed(log),
      open: Effect.fnUntraced(function*() {
        const opened = yield* Effect.orDie(Actor.make({ methods: session }))
        const ended = yield* Deferred.make<void>()
        let hits = 0
        yield* Actor.serve(opened, {
          bump: () => Effect.sync(() => ++hits),
          end: () => Deferred.succeed(ended, undefined)
        }).pipe(Effect.raceFirst(Deferred.await(ended)), Effect.forkIn(scope))
        return opened
      })
    }
  }
})
