/** `emp serve`: a manager in the foreground, until a signal ends it. */
import type { Kind } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { type Failure, failureOf, wrongUsage } from "./failure.ts"
import { keyOf, makeKeyFile, type ManagerAt } from "./managerAt.ts"
import * as Output from "./output.ts"

/** The options of `serve`. */
export interface Options extends ManagerAt {
  readonly makeKeyFile: boolean
  /** A module that exports the own kinds of its objects as `kinds`. */
  readonly kinds: Option.Option<string>
}

/** Runs a manager, and says on standard output that it listens. */
export const serve = (options: Options): Effect.Effect<never, unknown> =>
  Effect.gen(function*() {
    const { keyFile, socket } = options
    if (options.makeKeyFile) {
      if (Option.isNone(keyFile)) return yield* wrongUsage("--make-key-file needs --key-file FILE: the file to make")
      yield* makeKeyFile(keyFile.value)
    }
    const kinds = Option.isSome(options.kinds) ? yield* load(options.kinds.value) : []
    const listening = Layer.effectDiscard(Output.print(`the manager listens at ${socket}`))
    const server = NodeManager.layerServer({ path: socket, key: yield* keyOf(options), kinds })
    return yield* Layer.launch(Layer.provide(listening, server))
  })

/** The kinds that a module exports. */
const load = (module: string): Effect.Effect<ReadonlyArray<Kind.Known>, Failure> =>
  Effect.flatMap(
    Effect.tryPromise({
      try: (): Promise<{ readonly kinds?: unknown }> => import(pathToFileURL(resolve(module)).href),
      catch: (error) => failureOf(new Error(`cannot load the kinds of ${module}: ${String(error)}`))
    }),
    ({ kinds }) =>
      Array.isArray(kinds)
        ? Effect.succeed(kinds)
        : Effect.fail(wrongUsage(`${module} must export its kinds as an array: export const kinds = [...]`))
  )
