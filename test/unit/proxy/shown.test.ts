/** What logs show of errors and of shared objects: what they are, and nothing of the inside. */
import * as Core from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Predicate, Schema } from "effect"
import { inspect } from "node:util"

const {
  Actor,
  Kind,
  Manager,
  SharedArray,
  SharedBarrier,
  SharedCondition,
  SharedLatch,
  SharedList,
  SharedLock,
  SharedMap,
  SharedNamespace,
  SharedObject,
  SharedOpenNamespace,
  SharedQueue,
  SharedReadWriteLock,
  SharedRef,
  SharedSemaphore
} = Core

const name = "app/Name"

const Gate = Kind.make("app/Gate", {
  state: Schema.Boolean,
  initial: false,
  operations: { open: Kind.change({}) },
  transitions: { open: () => Kind.done(true) }
})

const objects = {
  Actor: Actor.make({ name, methods: { find: Actor.method({}) } }),
  Array: SharedArray.make({ name, type: "int8", length: 1 }),
  Barrier: SharedBarrier.make({ name, parties: 1 }),
  Condition: SharedCondition.make({ name }),
  Latch: SharedLatch.make({ name }),
  List: SharedList.make({ name, item: Schema.Int }),
  Lock: SharedLock.make({ name }),
  Map: SharedMap.make({ name, key: Schema.Int, value: Schema.Int }),
  Namespace: SharedNamespace.make({ name, fields: { a: Schema.Int }, initial: { a: 1 } }),
  OpenNamespace: SharedOpenNamespace.make({ name, value: Schema.Int }),
  "app/Gate": SharedObject.make(Gate, { name }),
  Queue: SharedQueue.make({ name, item: Schema.Int }),
  ReadWriteLock: SharedReadWriteLock.make({ name }),
  Ref: SharedRef.make({ name, schema: Schema.Int, initial: 1 }),
  Semaphore: SharedSemaphore.make({ name, permits: 1 })
}

describe("a shared object is shown as its kind, name and manager:", () => {
  for (const [kind, make] of Object.entries(objects)) {
    it.effect(kind, () =>
      Effect.gen(function*() {
        const object: object = yield* make
        for (const shown of [String(object), JSON.stringify(object), inspect(object), JSON.stringify({ object })]) {
          assert.include(shown, kind)
          assert.include(shown, name)
          assert.notInclude(shown, "proof")
          assert.isBelow(shown.length, 200)
        }
      }).pipe(Effect.scoped, Effect.provide(Manager.layerMemoryWith({ kinds: [Gate] }))))
  }
})

describe("an error", () => {
  const errors = Object.values(Core).flatMap((module) =>
    Object.entries(module).filter(([, value]) => Predicate.isFunction(value) && value.prototype instanceof Error)
  )

  it("has no field that hides its name, by which logs group", () => {
    assert.isAbove(errors.length, 20)
    for (const [tag, error] of errors) {
      assert.notProperty((error as unknown as { readonly fields: object }).fields, "name", tag)
    }
  })

  it.effect("of another schema shows the difference, also in long ones", () =>
    Effect.gen(function*() {
      const fields = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`field${i + 10}`, Schema.Int]))
      const open = (last: Schema.Top) =>
        SharedQueue.make({
          name,
          item: Schema.Struct({ ...fields, field15: last }) as unknown as Schema.Codec<unknown>
        })
      yield* open(Schema.Int)
      const error = yield* Effect.flip(open(Schema.String))
      const { message } = error
      assert.include(message, "field15: Number & isInt")
      assert.include(message, "field15: String")
      assert.notInclude(message, "field10")
    }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))
})
