import { SharedSemaphore } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Effect, type Option, Semaphore } from "effect"
import { followBodies } from "../bodies.ts"
import { holdSuite } from "../hold.ts"
import { programs, suite } from "../suite.ts"

const permits = 3

/** A semaphore, ours or Effect's. */
interface Permits {
  readonly withPermits: (n: number) => (self: Effect.Effect<void>) => Effect.Effect<void, unknown>
  readonly withPermitsIfAvailable: (
    n: number
  ) => (self: Effect.Effect<void>) => Effect.Effect<Option.Option<void>, unknown>
  /** The permits that are free after all earlier requests. */
  readonly available: Effect.Effect<number, unknown> | undefined
}

/** The model of a semaphore: the bodies that run, and those that wait, in order. */
class Model {
  readonly running = new Map<number, number>()
  readonly #waiting = new Map<number, number>()
  /** As Effect's semaphore: any waiter that fits runs, and a request that does not wait ignores waiters. */
  readonly #overtakes: boolean

  constructor(overtakes: boolean) {
    this.#overtakes = overtakes
  }

  get free(): number {
    return [...this.running.values()].reduce((free, n) => free - n, permits)
  }

  begin(id: number, n: number): void {
    this.#waiting.set(id, n)
    this.#serve()
  }

  beginIfAvailable(id: number, n: number): void {
    if (n <= this.free && (this.#overtakes || this.#waiting.size === 0)) this.running.set(id, n)
  }

  end(id: number): void {
    this.running.delete(id)
    this.#waiting.delete(id)
    this.#serve()
  }

  #serve(): void {
    for (const [id, n] of this.#waiting) {
      if (n <= this.free) {
        this.#waiting.delete(id)
        this.running.set(id, n)
      } else if (!this.#overtakes) return
    }
  }
}

/** Runs a program, and compares the running bodies with the model after each step. */
const follow = (
  { available, withPermits, withPermitsIfAvailable }: Permits,
  model: Model,
  program: ReadonlyArray<readonly ["begin" | "try" | "finish" | "interrupt", number]>
) => {
  const free = (expected: () => number) =>
    available === undefined ? Effect.void : Effect.map(available, (n) => assert.strictEqual(n, expected()))
  const begin = (id: number, what: "begin" | "try", number: number, body: Effect.Effect<void>) => {
    const n = 1 + Math.abs(number) % permits
    if (what === "begin") model.begin(id, n)
    else model.beginIfAvailable(id, n)
    return what === "begin" ? withPermits(n)(body) : withPermitsIfAvailable(n)(body)
  }
  const followed = followBodies(model, program, { begin, compare: free(() => model.free) })
  return Effect.andThen(followed, free(() => permits))
}

/** `SharedSemaphore`. */
export const semaphoreSuite = suite("SharedSemaphore", (it, runs) => {
  holdSuite(
    it,
    Effect.map(SharedSemaphore.make({ permits: 2 }), (semaphore) => ({
      object: semaphore,
      hold: semaphore.withPermits(2),
      holdIfAvailable: semaphore.withPermitsIfAvailable(2),
      isFree: Effect.map(semaphore.available, (available) => available === 2),
      lost: ["PermitsLost", "2 permits of Semaphore"]
    }))
  )

  it.effect.prop(
    "runs bodies first come first served, where Effect's runs any that fit (S-13, S-33)",
    [programs("begin", "try", "finish", "interrupt")],
    ([program]) =>
      Effect.gen(function*() {
        yield* follow(yield* SharedSemaphore.make({ permits }), new Model(false), program)
        const effects = yield* Semaphore.make(permits)
        yield* follow(
          {
            withPermits: (n) => effects.withPermits(n),
            withPermitsIfAvailable: (n) => effects.withPermitsIfAvailable(n),
            available: undefined
          },
          new Model(true),
          program
        )
      }).pipe(Effect.scoped),
    runs
  )

  it.effect("never runs more bodies than it has permits", () =>
    Effect.gen(function*() {
      const semaphore = yield* SharedSemaphore.make({ permits: 5 })
      let [inside, most] = [0, 0]
      const body = Effect.gen(function*() {
        most = Math.max(most, ++inside)
        yield* semaphore.available
        inside--
      })
      yield* Effect.all(Array.from({ length: 50 }, () => semaphore.withPermit(body)), { concurrency: "unbounded" })
      assert.strictEqual(most, 5)
      assert.strictEqual(yield* semaphore.available, 5)
    }).pipe(Effect.scoped))

  it.effect("fails at once when asked for more than it has, where Effect's waits for ever", () =>
    Effect.gen(function*() {
      const semaphore = yield* SharedSemaphore.make({ permits: 2 })
      for (const use of [semaphore.withPermits(3)(Effect.void), semaphore.withPermitsIfAvailable(3)(Effect.void)]) {
        const error = yield* Effect.flip(use)
        assert.strictEqual(error._tag, "TooManyPermits")
        assert.include(error.message, "has 2 permits in all: a request for more would wait forever")
      }
    }).pipe(Effect.scoped))

  it.effect("can be opened by name with the same number of permits only, and travels as a value", () =>
    Effect.gen(function*() {
      const name = "test/conformance/semaphore"
      yield* SharedSemaphore.make({ name, permits: 2 })
      assert.strictEqual((yield* Effect.flip(SharedSemaphore.make({ name, permits: 3 })))._tag, "OptionsMismatch")
      assert.isTrue(SharedSemaphore.isSharedSemaphore(yield* SharedSemaphore.make({ name, permits: 2 })))
      for (const permits of [0, -1, 1.5, Infinity]) {
        assert.include((yield* Effect.flip(SharedSemaphore.make({ permits }))).message, "permits must be")
      }
    }).pipe(Effect.scoped))
})
