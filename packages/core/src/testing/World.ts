/**
 * A world of simulated processes in one thread, with a scheduler and a clock that follow a seed.
 *
 * ```text
 *   step ─► a process that is awake ─► one of its tasks, at random ─► runs until it yields
 *        └─ nothing to run ─► the time jumps to the next sleeper, or the end of the next pause
 * ```
 *
 * A process runs everything through its `Scheduler`, and waits through its `Clock`. So the same seed and the same
 * programs always give the same order.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as EffectRandom from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import { HandleRegistry } from "../client/Received.ts"
import type { Executor } from "./MemoryProcess.ts"
import { Random } from "./Random.ts"

/** The services of the platform that a simulated process has instead of the real ones. */
export type Platform = Mac.Mac | SecureRandom.SecureRandom

interface Sleeper {
  readonly process: Process
  /** Simulated milliseconds. */
  readonly until: number
  readonly wake: () => void
}

/** Why a world stopped. */
export type Rest = "idle" | "stopped" | "endless"

/** The time at which every world begins. */
const beginning = 1_000_000_000

/** Simulated processes and their time. */
export class World {
  readonly seed: number
  readonly random: Random
  /** Simulated time in milliseconds. */
  now = beginning
  /** Tasks run so far. */
  steps = 0
  /** A hash of the task and process of each step: equal runs have equal traces. */
  trace = 0x811c9dc5
  readonly #processes: Array<Process> = []
  readonly #sleepers = new Set<Sleeper>()
  #ticks = 0

  constructor(seed: number) {
    this.seed = seed
    this.random = new Random(seed)
  }

  /** Starts a process. `yields` is the probability that a fiber of it yields before an operation. */
  process(yields: number): Process {
    const process = new Process(this, this.#processes.length, yields)
    this.#processes.push(process)
    return process
  }

  /** Simulated milliseconds since it began. */
  get elapsed(): number {
    return this.now - beginning
  }

  /** The monotonic clock of the world. No two events have the same time. */
  tick(): number {
    return ++this.#ticks
  }

  /** Mixes a number into the trace (FNV-1a). */
  mark(value: number): void {
    this.trace = Math.imul(this.trace ^ value, 0x01000193)
  }

  /** Runs until nothing can happen any more, until `before` stops it, or until `stepsMax` steps have run. */
  run(stepsMax: number, before: () => boolean): Rest {
    while (this.steps < stepsMax) {
      if (!before()) return "stopped"
      const ready = this.#processes.filter((process) => process.isReady)
      if (ready.length === 0) {
        if (!this.rush()) return "idle"
        continue
      }
      this.steps++
      this.random.pick(ready).step()
    }
    return "endless"
  }

  /** Moves the time to the next event. Returns false if there is none. */
  rush(): boolean {
    let next = Infinity
    for (const { until } of this.#sleepers) next = Math.min(next, until)
    for (const process of this.#processes) if (process.isPaused) next = Math.min(next, process.pausedUntil)
    if (next === Infinity) return false
    this.now = Math.max(this.now, next)
    for (const sleeper of this.#sleepers) {
      if (sleeper.until > this.now) continue
      this.#sleepers.delete(sleeper)
      sleeper.process.scheduleTask(sleeper.wake)
    }
    return true
  }

  /** Wakes a process after some milliseconds, a whole number as for real clocks. Returns a function that cancels the timer. */
  sleep(process: Process, milliseconds: number, wake: () => void): () => void {
    const sleeper: Sleeper = { process, until: this.now + Math.ceil(milliseconds), wake }
    if (!process.isKilled) this.#sleepers.add(sleeper)
    return () => this.#sleepers.delete(sleeper)
  }

  /** Forgets the timers of a process. */
  forget(process: Process): void {
    for (const sleeper of this.#sleepers) if (sleeper.process === process) this.#sleepers.delete(sleeper)
  }
}

/** Collects no handles: when the garbage collector runs differs between two runs of a seed. */
const neverCollected = () => {
  const lists = new WeakSet<object>()
  return {
    register: (list: object) => void lists.add(list),
    unregister: (list: object) => lists.delete(list)
  }
}

/** A process of the world. It can be paused, and killed: then not even its finalizers run. */
export class Process implements Scheduler.Scheduler, Scheduler.SchedulerDispatcher, Executor {
  readonly executionMode = "async"
  /** Its scheduler, clock, randomness and cryptography. */
  readonly context: Context.Context<Platform>
  isKilled = false
  pausedUntil = 0
  readonly #world: World
  readonly #id: number
  readonly #yields: number
  #tasks: Array<() => void> = []

  constructor(world: World, id: number, yields: number) {
    this.#world = world
    this.#id = id
    this.#yields = yields
    this.context = Context.make(Mac.Mac, mac).pipe(
      Context.add(SecureRandom.SecureRandom, secureRandom(world.random.fork())),
      Context.add(Clock.Clock, clock(world, this)),
      Context.add(EffectRandom.Random, effectRandom(new Random(world.seed + id))),
      Context.add(Scheduler.Scheduler, this),
      Context.add(HandleRegistry, neverCollected)
    )
  }

  get isPaused(): boolean {
    return this.pausedUntil > this.#world.now && !this.isKilled
  }

  /** Whether it has a task to run now. */
  get isReady(): boolean {
    return this.#tasks.length > 0 && this.pausedUntil <= this.#world.now
  }

  /** Runs one of its tasks. */
  step(): void {
    const position = this.#world.random.below(this.#tasks.length)
    const task = this.#tasks[position]!
    const last = this.#tasks.pop()!
    if (position < this.#tasks.length) this.#tasks[position] = last
    this.#world.mark(this.#id * 0x10000 + position)
    task()
  }

  /** Runs nothing for some milliseconds. 0: continues. */
  pause(milliseconds: number): void {
    this.pausedUntil = this.#world.now + milliseconds
  }

  freeze(isFrozen: boolean): void {
    this.pause(isFrozen ? Infinity : 0)
  }

  /** Never runs anything again. */
  kill(): void {
    this.isKilled = true
    this.#tasks = []
    this.#world.forget(this)
  }

  /** Any two tasks may run in any order. Priorities would only make fewer orders possible. */
  scheduleTask(task: () => void): void {
    if (!this.isKilled) this.#tasks.push(task)
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this
  }

  /** No task is run early. */
  flush(): void {}

  /** Never before the first operation: Effect loses the interruption of a fiber that yields before it begins. */
  shouldYield({ currentOpCount }: Fiber.Fiber<unknown, unknown>): boolean {
    return this.#yields > 0 && currentOpCount > 1 && this.#world.random.chance(this.#yields)
  }
}

// internals

const clock = (world: World, process: Process): Clock.Clock => {
  const millis = () => world.now
  const nanos = () => BigInt(Math.round(world.now * 1_000_000))
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) => {
      const milliseconds = Duration.toMillis(duration)
      if (milliseconds <= 0) return Effect.yieldNow
      if (milliseconds === Infinity) return Effect.never
      return Effect.callback<void>((resume) => {
        const forget = world.sleep(process, milliseconds, () => resume(Effect.void))
        return Effect.sync(forget)
      })
    }
  }
}

const secureRandom = (random: Random): SecureRandom.SecureRandom["Service"] =>
  SecureRandom.make((size) => Uint8Array.from({ length: size }, () => random.below(256)))

/** Effect's `Random` of programs. */
const effectRandom = (random: Random): typeof EffectRandom.Random.Service => ({
  nextDoubleUnsafe: () => random.next(),
  nextIntUnsafe: () => Math.floor((random.next() * 2 - 1) * Number.MAX_SAFE_INTEGER)
})

/** Keyed and repeatable, but not secure: a simulation has no attackers. */
const mac = Mac.Mac.of({
  generateKey: (algorithm) => Mac.key(algorithm, new Uint8Array(32)),
  sign: (key, data) => Effect.map(Mac.toBytes(key), (bytes) => tag(bytes, data)),
  verify: (key, expected, data) =>
    Effect.map(Mac.toBytes(key), (bytes) => Mac.timingSafeEqual(tag(bytes, data), expected))
})

const tag = (key: Uint8Array, data: Uint8Array): Uint8Array => {
  let hash = 0x811c9dc5
  for (const bytes of [key, data]) for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return Uint8Array.of(hash, hash >>> 8, hash >>> 16, hash >>> 24)
}
