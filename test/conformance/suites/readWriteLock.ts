import { SharedObject, SharedReadWriteLock } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option } from "effect"
import { describe } from "vitest"
import { File } from "../../support/ownKinds.ts"
import { untilWaiting } from "../../support/untilWaiting.ts"
import { followBodies } from "../bodies.ts"
import { type Holdable, holdSuite, type Make } from "../hold.ts"
import { type Deployment, programs, suite } from "../suite.ts"

/** A read-write lock, whose writer holds it alone. */
interface ReadWrite extends Holdable {
  readonly read: <A>(body: Effect.Effect<A>) => Effect.Effect<A, unknown>
  readonly readers: Effect.Effect<number, unknown>
}

/** The type of the library, and the same as a kind that a user writes. */
const implementations: Readonly<Record<string, Make<ReadWrite>>> = {
  "SharedReadWriteLock": Effect.map(SharedReadWriteLock.make(), (lock) => ({
    object: lock,
    hold: lock.withWriteLock,
    holdIfAvailable: lock.withWriteLockIfAvailable,
    isFree: Effect.zipWith(lock.readers, lock.isWriting, (readers, isWriting) => readers === 0 && !isWriting),
    lost: ["LockLost", "was lost while it was held"],
    read: lock.withReadLock,
    readers: lock.readers
  })),
  "an own kind": Effect.map(SharedObject.make(File), (file) => ({
    object: file,
    hold: (body) => SharedObject.withHold(file.write, () => body),
    holdIfAvailable: (body) =>
      SharedObject.withHold(file.writeIfFree, () => Effect.asSome(body)).pipe(
        Effect.catchTag("Busy", () => Effect.succeedNone)
      ),
    isFree: Effect.map(file.state.get, ({ isWriting, readers }) => readers === 0 && !isWriting),
    lost: ["HoldLost", "was lost"],
    operation: "write",
    read: (body) => SharedObject.withHold(file.read, () => body),
    readers: Effect.map(file.state.get, ({ readers }) => readers)
  }))
}

/** Read-write locks: the library's own, and one that is written as a user would. */
export const readWriteLockSuite = (deployment: Deployment): void => tests({ ...deployment, layer: deployment.ownKinds })

/** The bodies that run, and those that wait, in order. */
class Model {
  readonly running = new Map<number, "read" | "write">()
  readonly #waiting = new Map<number, "read" | "write">()

  begin(id: number, mode: "read" | "write"): void {
    this.#waiting.set(id, mode)
    this.#serve()
  }

  end(id: number): void {
    this.running.delete(id)
    this.#waiting.delete(id)
    this.#serve()
  }

  #serve(): void {
    for (const [id, mode] of this.#waiting) {
      const isFree = mode === "write" ? this.running.size === 0 : ![...this.running.values()].includes("write")
      if (!isFree) return
      this.#waiting.delete(id)
      this.running.set(id, mode)
    }
  }
}

const tests = suite("SharedReadWriteLock", (it, runs) => {
  for (const [name, make] of Object.entries(implementations)) {
    describe(`of ${name}`, () => {
      holdSuite(it, make)

      it.effect.prop(
        "runs readers together or one writer, first come first served",
        [programs("read", "write", "finish", "interrupt")],
        ([program]) =>
          Effect.gen(function*() {
            const lock = yield* make
            const model = new Model()
            yield* followBodies(model, program, {
              begin: (id, what: "read" | "write", _, body) => {
                model.begin(id, what)
                return what === "read" ? lock.read(body) : lock.hold(body)
              },
              compare: Effect.map(lock.readers, (readers) => {
                const reading = [...model.running.values()].filter((mode) => mode === "read")
                assert.strictEqual(readers, reading.length)
              })
            })
            assert.isTrue(yield* lock.isFree)
          }).pipe(Effect.scoped),
        runs
      )

      it.effect("lets no later reader overtake a writer that waits", () =>
        Effect.gen(function*() {
          const lock = yield* make
          const order: Array<string> = []
          const note = (word: string) => Effect.sync(() => void order.push(word))
          const [begun, end] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
          const first = yield* Effect.forkChild(
            lock.read(Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(end)))
          )
          yield* Deferred.await(begun)
          const writer = yield* Effect.forkChild(lock.hold(note("write")))
          yield* untilWaiting(lock.object, 1)
          const later = yield* Effect.forkChild(lock.read(note("read")))
          yield* untilWaiting(lock.object, 2)
          assert.deepStrictEqual(yield* lock.holdIfAvailable(Effect.void), Option.none())
          yield* Deferred.succeed(end, undefined)
          yield* Effect.forEach([first, writer, later], Fiber.join)
          assert.deepStrictEqual(order, ["write", "read"])
        }).pipe(Effect.scoped))
    })
  }
})
