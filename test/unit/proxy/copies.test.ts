/** Two copies of effect in one program are named as such, wherever a schema of the other one is used. */
import * as Codecs from "#core/pool/Codecs.ts"
import {
  Manager,
  Pool,
  Process,
  SharedList,
  SharedMap,
  SharedNamespace,
  SharedQueue,
  SharedRef,
  Task,
  TaskGroup
} from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema, type Scope } from "effect"
import { join } from "node:path"
import { rolldown } from "rolldown"
import { folder } from "../../support/bundleOf.ts"

const file = join(folder, "copy-of-effect.mjs")

/** The schemas of another copy. */
const other = Effect.promise((): Promise<typeof Schema> =>
  rolldown({ input: "effect/Schema", platform: "node", treeshake: false })
    .then((bundled) => bundled.write({ file }))
    .then(() => import(file))
)

type Use = Effect.Effect<unknown, unknown, Manager.Manager | Process.ProcessSpawner | Scope.Scope>

const uses = (Foreign: typeof Schema): Readonly<Record<string, Use>> => {
  const task = Task.make("One", { payload: { at: Foreign.Date } })
  const group = TaskGroup.make("tasks", { tasks: [task] })
  return {
    queue: SharedQueue.make({ item: Foreign.Int }),
    "queue of bytes": SharedQueue.make({ item: Foreign.Uint8Array }),
    list: SharedList.make({ item: Foreign.Date }),
    ref: SharedRef.make({ schema: Schema.Struct({ at: Foreign.Date }), initial: { at: new Date(0) } }),
    "map's key": SharedMap.make({ key: Foreign.String, value: Schema.Int }),
    "map's value": SharedMap.make({ key: Schema.String, value: Schema.Option(Foreign.Date) }),
    namespace: SharedNamespace.make({ fields: { at: Foreign.Date }, initial: { at: new Date(0) } }),
    "a handle's items": SharedQueue.make({ item: SharedQueue.schema(Foreign.Date) }),
    "what contains one of this copy": SharedQueue.make({ item: Foreign.Array(Schema.Date) }),
    recursive: SharedQueue.make({ item: Schema.suspend(() => Foreign.Date) }),
    "transformed to": SharedQueue.make({
      item: Schema.Date.pipe(Schema.encodeTo(Foreign.Date as never)) as typeof Schema.Date
    }),
    "process's payload": Process.spawn(group, task, { at: new Date(0) }),
    pool: Pool.make(group),
    "codecs of a worker": Codecs.make(task)
  }
}

const noProcesses = { parallelism: 1, startTimeout: 1, spawn: () => Effect.never, spawnLinked: () => Effect.never }

describe("a schema of another copy of effect", () => {
  it.effect("is named as such", () =>
    Effect.gen(function*() {
      const Foreign = yield* other
      assert.notStrictEqual(Foreign.Int, Schema.Int)
      for (const [name, use] of Object.entries(uses(Foreign))) {
        const exit = yield* Effect.exit(Effect.scoped(use))
        const message = Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "accepted"
        assert.include(message, "a schema is of another copy of effect", name)
      }
    }).pipe(
      Effect.provideService(Process.ProcessSpawner, noProcesses),
      Effect.provide(Manager.layerMemory)
    ))
})
