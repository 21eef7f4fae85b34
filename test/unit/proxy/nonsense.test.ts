/** Every function × values that make no sense: a typed error before anything starts, and the connection lives on. */
import {
  Actor,
  Manager,
  type ManagerError,
  Metrics,
  Pool,
  Process,
  SharedArray,
  SharedBarrier,
  SharedCondition,
  SharedList,
  SharedLock,
  SharedMap,
  SharedNamespace,
  SharedOpenNamespace,
  SharedQueue,
  SharedRef,
  SharedSemaphore,
  Task,
  TaskGroup
} from "@effect-multiprocessing/core"
import { defaults } from "@effect-multiprocessing/core/Limits"
import { layerProgram } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Option, Redacted, Schema, type Scope, Stream } from "effect"
import * as Memory from "../../support/Memory.ts"

// The compiler refuses some of them; a program without types does not.
const undefinedNumber = undefined as unknown as number
const undefinedText = undefined as unknown as string

const numbers = [undefinedNumber, Number.NaN, Infinity, -Infinity, -1, -0, 0, 0.5, 1e300, 2 ** 53, -(2 ** 53)]
const texts = [undefinedText, "", "\ud800", "a\udc00b", "__proto__", "constructor", "x".repeat(600)]

type Use = Effect.Effect<unknown, unknown, Manager.Manager | Scope.Scope>

/** Methods with each number in each place, of arguments that are otherwise right. */
const calls: Readonly<Record<string, (n: number, text: string) => Use>> = {
  Array: (n) =>
    Effect.flatMap(SharedArray.make({ type: "int8", length: 3 }), (array) =>
      all([
        array.get(n),
        array.slice(n),
        array.slice(0, n),
        array.set(n, 1),
        array.set(0, n),
        array.setSlice(n, [1]),
        array.setSlice(0, [n]),
        array.fill(n),
        array.fill(1, n),
        array.fill(1, 0, n),
        array.add(n, 1),
        array.add(0, n),
        array.addSlice(n, [1]),
        array.modifyAt(n, (a) => [a, a]),
        array.modifyAt(0, () => [0, n])
      ])),
  List: (n) =>
    Effect.flatMap(SharedList.make({ item: Schema.Int, initial: [1, 2, 3] }), (list) =>
      all([
        list.get(n),
        list.slice(n),
        list.slice(0, n),
        list.indexOf(n),
        list.indexOf(1, n),
        list.indexOf(1, 0, n),
        list.append(n),
        list.insert(n, 1),
        list.set(n, 1),
        list.replaceSlice(n, 1, []),
        list.replaceSlice(0, n, [n]),
        list.removeAt(n),
        list.removeSlice(n),
        list.modifyAt(n, (a) => [a, a])
      ])),
  Map: (n, text) =>
    Effect.flatMap(SharedMap.make({ key: Schema.String, value: Schema.Int }), (map) =>
      all([
        map.set(text, 1),
        map.set("a", n),
        map.get(text),
        map.hold(text, 1),
        map.hold("a", n),
        map.add("a", n),
        map.add(text, 1),
        map.untilAtLeast("a", n),
        map.untilAtMost("a", n),
        map.untilSizeAtLeast(n),
        map.untilSizeAtMost(n),
        map.modify(text, () => [0, Option.some(n)])
      ])),
  Namespace: (n, text) =>
    Effect.flatMap(SharedNamespace.make({ fields: { a: Schema.Int }, initial: { a: 1 } }), (board) =>
      all([
        board.set({ a: n }),
        board.set({ [text]: 1 }),
        board.fields.a.add(n),
        board.fields.a.untilAtLeast(n),
        board.fields.a.untilEquals(n)
      ])),
  OpenNamespace: (n, text) =>
    Effect.flatMap(SharedOpenNamespace.make({ value: Schema.Int }), (board) =>
      all([
        board.set({ [text]: n }),
        board.field(text).set(1),
        board.field(text).get,
        board.field(text).hold(n),
        board.field("a").set(n),
        board.field("a").add(n)
      ])),
  Queue: (n) =>
    Effect.flatMap(
      SharedQueue.make({ item: Schema.Int }),
      (queue) => all([queue.offer(n), queue.offerAll([1, n]), queue.offerIfRoom(n)])
    ),
  Ref: (n) =>
    Effect.flatMap(
      SharedRef.make({ schema: Schema.Finite, initial: 0 }),
      (ref) =>
        all([ref.set(n), ref.add(n), ref.untilAtLeast(n), ref.untilAtMost(n), ref.untilEquals(n), ref.update(() => n)])
    ),
  Semaphore: (n) =>
    Effect.flatMap(SharedSemaphore.make({ permits: 2 }), (semaphore) => all([semaphore.withPermits(n)(Effect.void)])),
  "new objects": (n, text) =>
    all([
      SharedArray.make({ type: "int8", length: n }),
      SharedArray.make({ type: "int8", length: 1, initial: [n] }),
      SharedBarrier.make({ parties: n }),
      SharedList.make({ item: Schema.Int, initial: [n] }),
      SharedLock.make({ name: text }),
      SharedQueue.make({ item: Schema.Int, capacity: n }),
      SharedQueue.make({ item: Schema.Int, attempts: n }),
      SharedQueue.make({ item: Schema.Int, holdFor: n }),
      SharedLock.make({ holdFor: n }),
      SharedLock.make({ holdFor: text as "1 second" }),
      SharedSemaphore.make({ permits: 1, holdFor: n }),
      SharedQueue.make({ item: Schema.Int, name: text }),
      SharedRef.make({ schema: Schema.Int, initial: n }),
      SharedSemaphore.make({ permits: n })
    ])
}

/** Runs each until it has ended or waits, and tells those that die. */
const all = (effects: ReadonlyArray<Use>): Use =>
  Effect.forEach(effects, (effect, i) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
      for (let turns = 0; turns < 15; turns++) yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      if (Exit.isFailure(exit)) assert.isFalse(Cause.hasDies(exit.cause), `${i}: ${Cause.pretty(exit.cause)}`)
    }))

/** What is no duration, or one below zero. */
const durations: ReadonlyArray<unknown> = [
  Number.NaN,
  -1,
  -1n,
  -Infinity,
  "-Infinity",
  "-1 seconds",
  "",
  "5 parsecs",
  "NaN seconds",
  "seconds",
  [],
  [1],
  [Number.NaN, 1],
  {},
  { seconds: Number.NaN },
  { seconds: -1 },
  { parsecs: "5" },
  null,
  true,
  Symbol("duration"),
  () => 1
]

const One = Task.make("One", { payload: {} })
const Two = Task.make("Two", { payload: {} })
const Tasks = TaskGroup.make("tasks", { tasks: [One] })

/** All that takes a duration, with what the error says. */
const timed: Readonly<
  Record<
    string,
    (duration: 1) => Effect.Effect<
      unknown,
      { readonly message: string },
      Manager.Manager | Process.ProcessSpawner | Scope.Scope
    >
  >
> = {
  "a lock's holdFor": (holdFor) => SharedLock.make({ holdFor }),
  "a semaphore's holdFor": (holdFor) => SharedSemaphore.make({ permits: 1, holdFor }),
  "a condition's holdFor": (holdFor) => SharedCondition.make({ holdFor }),
  "a queue's holdFor": (holdFor) => SharedQueue.make({ item: Schema.Int, holdFor }),
  "the holdFor of a lock's layer": (holdFor) =>
    Layer.build(class L extends SharedLock.Service<L>()("L", { holdFor }) {}.layer),
  "a process's grace": (grace) => Process.spawn(Tasks, One, {}, { grace }),
  "a process's startTimeout": (startTimeout) => Process.spawn(Tasks, One, {}, { startTimeout }),
  "the grace of a process that is run": (grace) => Process.run(Tasks, One, {}, { grace }),
  "the startTimeout of a process that is run": (startTimeout) => Process.run(Tasks, One, {}, { startTimeout }),
  "a pool's grace": (grace) => Pool.make(Tasks, { grace }),
  "a pool's startTimeout": (startTimeout) => Pool.make(Tasks, { startTimeout })
}

/** What cannot be started, with a word of the error. */
const starts: ReadonlyArray<
  readonly [
    string,
    string,
    Effect.Effect<
      unknown,
      { readonly message: string },
      Manager.Manager | Process.ProcessSpawner | Scope.Scope
    >
  ]
> = [true, false].flatMap((isRun) => {
  const start: typeof Process.spawn = (isRun ? Process.run : Process.spawn) as typeof Process.spawn
  const twice = TaskGroup.make("twice", { tasks: [One, One] })
  const name = isRun ? "run" : "spawn"
  return [
    [`${name}, two tasks of one tag`, "two tasks of the group have the tag One", start(twice, One, {})],
    [
      `${name}, a task of another group`,
      "not a task of the group tasks",
      start(Tasks, Two as unknown as typeof One, {})
    ],
    [`${name}, a name of a lone surrogate`, "well-formed", start(Tasks, One, {}, { name: "\udc00" })],
    [`${name}, an option that is no text`, "execArgv", start(Tasks, One, {}, { execArgv: [undefinedText] })],
    [`${name}, an option with a zero byte`, "execArgv", start(Tasks, One, {}, { execArgv: ["--a\0"] })]
  ]
})

/** A spawner that tells whether something was started. */
const spy = Effect.sync(() => {
  let started = 0
  const start = () => Effect.andThen(Effect.sync(() => started++), Effect.never)
  const spawner = { parallelism: 1, startTimeout: 1, spawn: start, spawnLinked: start }
  return { spawner, started: () => started }
})

describe("before anything starts, a typed error refuses", () => {
  const refused = (
    what: string,
    words: ReadonlyArray<string>,
    effect: Effect.Effect<unknown, { readonly message: string }, Manager.Manager | Process.ProcessSpawner | Scope.Scope>
  ) =>
    Effect.gen(function*() {
      const { spawner, started } = yield* spy
      const { inspect } = yield* Manager.Manager
      const before = yield* inspect
      const use = Effect.provideService(effect, Process.ProcessSpawner, spawner)
      const fiber = yield* Effect.forkChild(use, { startImmediately: true })
      for (let turns = 0; turns < 15; turns++) yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      const error = Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : Option.none<never>()
      assert.isTrue(Option.isSome(error), `${what}: ${Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "accepted"}`)
      for (const word of words) assert.include(Option.getOrThrow(error).message, word, what)
      assert.strictEqual(started(), 0)
      const { counts, objects } = yield* inspect
      assert.deepStrictEqual({ counts, objects }, { counts: before.counts, objects: before.objects })
    })

  for (const [name, use] of Object.entries(timed)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const option = ["holdFor", "grace", "startTimeout"].find((option) => name.includes(option))!
        for (const [i, duration] of durations.entries()) {
          yield* refused(`${i}`, [option], Effect.suspend(() => use(duration as 1)))
        }
      }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))
  }

  it.effect("the time of a body under a lock", () =>
    Effect.gen(function*() {
      const lock = yield* SharedLock.make()
      for (const duration of durations) {
        const error = yield* Effect.flip(lock.withLockFor(duration as 1)(Effect.die("it ran")))
        assert.include(
          error.message,
          "was refused: the time of a body must be a duration"
        )
      }
    }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))

  for (const [name, word, effect] of starts) {
    it.effect(name, () => refused(name, [word], effect).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))
  }
})

describe("nonsense is refused by", () => {
  for (const [kind, use] of Object.entries(calls)) {
    it.live(kind, () =>
      Effect.gen(function*() {
        const memory = yield* Memory.make()
        const { manager } = yield* memory.connect()
        const as = Effect.provideService(Manager.Manager, manager)
        for (const n of numbers) yield* as(use(n, "a"))
        for (const text of texts) yield* as(use(1, text))
        assert.strictEqual(yield* (yield* as(SharedRef.make({ schema: Schema.Int, initial: 0 }))).increment, 1)
      }))
  }

  it.effect("the limits and the key of a manager, which is not started then", () =>
    Effect.gen(function*() {
      for (const name of Object.keys(defaults)) {
        for (const limit of [0, -1, 0.5, Number.NaN, -Infinity, undefined]) {
          const options = { limits: { [name]: limit as number } }
          const error = yield* Effect.flip(Effect.scoped(Layer.build(Manager.layerMemoryWith(options))))
          assert.include(error.message, `limits.${name} must be a whole number of at least 1, it is ${limit}`)
        }
      }
      const unbounded = { limits: { inFlightMax: Infinity } }
      assert.include(
        (yield* Effect.flip(Effect.scoped(Layer.build(Manager.layerMemoryWith(unbounded))))).message,
        "limits.inFlightMax must be a whole number"
      )
      const keys: ReadonlyArray<[key: unknown, issue: string]> = [
        [Redacted.make(""), "its key is empty"],
        ["a secret", "its key must be Redacted"]
      ]
      for (const [key, issue] of keys) {
        const given = key as Manager.ManagerKey
        for (const options of [{ key: given }, { keys: { owner: given } }, { keys: { observer: given } }]) {
          const error = yield* Effect.flip(Effect.scoped(Layer.build(Manager.layerMemoryWith(options))))
          assert.include(error.message, issue)
          assert.notInclude(error.message, "a secret")
        }
      }
    }))

  it.effect("names: two that UTF-8 cannot tell apart are not one", () =>
    Effect.gen(function*() {
      const board = yield* SharedOpenNamespace.make({ value: Schema.Int })
      const errors: ReadonlyArray<ManagerError.ManagerError | { readonly message: string }> = [
        yield* Effect.flip(SharedLock.make({ name: "\ud800" })),
        yield* Effect.flip(board.field("\udbff").set(1)),
        yield* Effect.flip(board.set({ "\ud801": 1 }))
      ]
      for (const { message } of errors) assert.include(message, "is no well-formed Unicode")
    }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))

  it.effect("a field that a namespace does not have", () =>
    Effect.gen(function*() {
      const board = yield* SharedNamespace.make({ fields: { a: Schema.Int }, initial: { a: 1 } })
      const { message } = yield* Effect.flip(board.set({ a: 2, toString: 1 } as { a: number }))
      assert.include(message, `it has no field "toString"`)
      assert.deepStrictEqual(yield* board.get, { a: 1 })
    }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))

  it.effect("remove and atomic, of what is no shared object and no Effect", () =>
    Effect.gen(function*() {
      const manager = yield* Manager.Manager
      for (const nonsense of [undefined, null, 3, "name", {}, []]) {
        const error = yield* Effect.flip(Effect.suspend(() => manager.remove(nonsense as never)))
        assert.include(error.message, "was not given a shared object")
        const counts = Effect.asVoid(manager.counts)
        const refused: ManagerError.ManagerError = yield* Effect.flip(
          Manager.atomic([counts, nonsense as typeof counts])
        )
        assert.include(refused.message, "element 1 is no Effect")
      }
    }).pipe(Effect.provide(Manager.layerMemory)))

  it.effect("the keys of a manager, whatever their types say", () =>
    Effect.gen(function*() {
      const key = Redacted.make("a key")
      for (
        const [options, word] of [
          [{ key: "a key" }, "Redacted"],
          [{ key, keys: { observer: "x" } }, "Redacted"],
          [{ key, keys: { client: "x" } }, "Redacted"],
          [{ key, keys: { client: [{ key: Redacted.make(3), names: [""] }] } }, "Redacted"],
          [{ key, keys: { client: [{ key: Redacted.make("x") }] } }, "keys.client[0].names"],
          [{ key, keys: { client: [{ key: Redacted.make("x"), names: "app/" }] } }, "keys.client[0].names"]
        ] as ReadonlyArray<readonly [object, string]>
      ) {
        const error = yield* Effect.flip(Effect.scoped(Layer.build(Manager.layerMemoryWith(options))))
        assert.include(error.message, word)
      }
    }))

  it.effect("the interval of a manager's metrics", () =>
    Effect.gen(function*() {
      for (const interval of [0, ...durations]) {
        const exit = yield* Effect.exit(Layer.build(Metrics.layerManager({ interval: interval as number })))
        assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "interval must be a time above 0")
      }
    }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))

  it.effect("a group with two tasks of one tag, or without a handler of one", () =>
    Effect.gen(function*() {
      const one = Task.make("One", { payload: {} })
      const twice = TaskGroup.make("twice", { tasks: [one, one] })
      const noProcesses = {
        parallelism: 1,
        startTimeout: 1,
        spawn: () => Effect.never,
        spawnLinked: () => Effect.never
      }
      const error = yield* Effect.flip(Pool.make(twice, { size: 1 })).pipe(
        Effect.provideService(Process.ProcessSpawner, noProcesses)
      )
      assert.include(error.message, "two tasks of the group have the tag One")
      const exit = yield* Effect.exit(Layer.build(twice.toLayer({ One: () => Effect.void })))
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "two tasks of the group have the tag One")
      const group = TaskGroup.make("one", { tasks: [one] })
      const missing = yield* Effect.exit(Layer.build(group.toLayer({} as { One: () => Effect.Effect<void> })))
      assert.include(Exit.isFailure(missing) ? Cause.pretty(missing.cause) : "", "one: the task One has no handler")
    }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))
})

describe("a handler that returns no Effect is a defect of its call, which names it:", () => {
  const methods = { one: Actor.method(), all: Actor.stream({ success: Schema.Int }) }

  for (
    const [what, value] of Object.entries<unknown>({
      "a promise": Promise.resolve(1),
      undefined,
      number: 3,
      function: () => 1,
      "a value inside": Effect.flatMap(Effect.void, () => 3 as unknown as Effect.Effect<void>)
    })
  ) {
    it.live(what, () =>
      Effect.gen(function*() {
        const told = <A, E, R>(run: Effect.Effect<A, E, R>) =>
          Effect.map(Effect.exit(run), (exit) => Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "it has not failed")
        const actor = yield* Actor.make({ methods })
        const handlers = { one: () => value, all: () => value } as never
        yield* Effect.forkScoped(
          Actor.serve<typeof methods, Actor.Handlers<typeof methods, never>, never>(actor, handlers)
        )
        const pool = yield* Pool.make(Tasks, { size: 1 })
        const isInside = what === "a value inside"
        for (
          const [name, run] of [["one of Actor", actor.one], ["One", pool.execute(One, {})], [
            "One",
            Process.run(Tasks, One, {})
          ]] as const
        ) {
          const text = yield* told(run as Effect.Effect<void, unknown, Manager.Manager | Process.ProcessSpawner>)
          assert.include(text, isInside ? "Not a valid effect" : `the handler of ${name}`)
          if (!isInside) assert.include(text, `returned ${what}`)
        }
        const text = yield* told(Stream.runDrain(actor.all))
        if (!isInside) assert.include(text, "instead of a Stream")
      }).pipe(
        Effect.scoped,
        Effect.provide(layerProgram({ tasks: Tasks.toLayer({ One: () => value as Effect.Effect<void> }) }))
      ))
  }

  it.effect("and an actor is not served without a handler of each method", () =>
    Effect.gen(function*() {
      const actor = yield* Actor.make({ methods })
      const exit = yield* Effect.exit(Actor.serve(actor, { all: () => Stream.empty } as never))
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "the method one has no handler")
    }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))
})
