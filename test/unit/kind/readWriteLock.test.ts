/**
 * A read-write lock as an own kind: readers together or one writer, first come first served. A model that was written
 * without the kind judges it.
 */
import { engineKinds } from "#core/kind/EngineKind.ts"
import { simulateSeed } from "#core/testing/simulateSeed.ts"
import { Manager, SharedObject } from "@effect-multiprocessing/core"
import {
  type Answer,
  type Call,
  certify,
  type Granted,
  type Model,
  type Reply
} from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { budget } from "../../support/budget.ts"
import * as Memory from "../../support/Memory.ts"
import { ReadWriteLock } from "../../support/ownKinds.ts"
import { untilWaiting } from "../../support/untilWaiting.ts"

const name = "lock"
const open = SharedObject.make(ReadWriteLock, { name })

/** The holds: whether each writes, by its grant. */
class ReadWriteLockModel implements Model {
  readonly unguarded = new Set(["$release"])
  readonly grants: Map<number, Granted>
  readonly #writes: Map<number, boolean>

  constructor(writes: ReadonlyMap<number, boolean> = new Map(), grants: ReadonlyMap<number, Granted> = new Map()) {
    this.#writes = new Map(writes)
    this.grants = new Map(grants)
  }

  get #writers(): number {
    return [...this.#writes.values()].filter((writes) => writes).length
  }

  look({ args, operation, session }: Call): Answer | undefined {
    if (operation === "readers") return { reply: [{ text: `${this.#writes.size - this.#writers}`, handles: [] }] }
    if (operation !== "$release") return undefined
    return this.grants.get(Number(args[0]))?.session === session ? undefined : { error: "NotHeld" }
  }

  change({ args, index, operation, session }: Call): Reply | undefined {
    if (operation === "$release") {
      this.revoke(Number(args[0]))
      return []
    }
    const writes = operation === "write"
    if (this.#writers > 0 || writes && this.#writes.size > 0) return undefined
    this.#writes.set(index, writes)
    this.grants.set(index, { session, byReceipt: false })
    return writes ? [index, { text: `${index}`, handles: [] }] : [index]
  }

  revoke(grant: number): void {
    this.#writes.delete(grant)
    this.grants.delete(grant)
  }

  isPristine(): boolean {
    return this.#writes.size === 0
  }

  state(): unknown {
    return [...this.#writes]
  }

  copy(): ReadWriteLockModel {
    return new ReadWriteLockModel(this.#writes, this.grants)
  }
}

describe("a read-write lock of a program's own", () => {
  it("is what its model says, with processes that are killed, cut off and interrupted", () => {
    const faults = { kill: 0, cut: 0, cancel: 0 }
    for (let seed = 1; seed <= budget(10); seed++) {
      const simulation = simulateSeed((client) =>
        Effect.scoped(Effect.gen(function*() {
          const lock = yield* open
          for (let i = 0; i < 4; i++) {
            const work = Effect.andThen(lock.readers, Effect.sleep(5))
            const body = client.random.chance(1 / 3)
              ? SharedObject.withHold(lock.write, () => work)
              : SharedObject.withHold(lock.read, () => work)
            yield* client.cancellable(body)
          }
        })), { seed, ownKinds: [ReadWriteLock] })
      assert.deepStrictEqual(simulation.violations, [], `seed ${seed}`)
      const models = { [ReadWriteLock.name]: () => new ReadWriteLockModel() }
      assert.deepStrictEqual(certify(simulation.history, { models }), [], `seed ${seed}`)
      for (const fault of ["kill", "cut", "cancel"] as const) faults[fault] += simulation.faults[fault]
    }
    assert.isTrue(faults.kill > 0 && faults.cut > 0 && faults.cancel > 0)
  })

  const setUp = Effect.gen(function*() {
    const memory = yield* Memory.make({ kinds: engineKinds([ReadWriteLock]) })
    const client = Effect.flatMap(memory.connect(), ({ cut, manager }) => {
      const as = Effect.provideService(Manager.Manager, manager)
      return Effect.map(as(open), (lock) => ({ as, cut, lock }))
    })
    return { client, ...yield* client }
  })

  it.live("is free when the process of its writer has ended, and every writer has a larger token", () =>
    Effect.gen(function*() {
      const { as, client, lock } = yield* setUp
      const writer = yield* client
      const token = yield* writer.lock.write
      const mine = yield* Effect.forkChild(Effect.scoped(lock.write))
      yield* as(untilWaiting(lock, 1))
      writer.cut("killed")
      assert.isAbove(yield* Fiber.join(mine), token)
    }))
})
