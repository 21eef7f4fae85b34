/**
 * The log of a running manager. Every input is written here before its step, and the frames of a turn leave when all
 * inputs up to the end of that turn are in the log (S-3).
 *
 * ```text
 *   turn ─► write, step, … ─► frames held ─┐   meanwhile: append of the turns before ─► their frames leave
 *   turn ─► write, step, … ─► frames held ─┴─► append
 * ```
 *
 * One append is in flight, and the turns that come meanwhile are the next one. No client is told of anything that the log
 * does not have. A leader that the log refuses is discarded as a whole: nothing of its state has left it. An input whose
 * step throws is not in the log, so the next manager does not step it again.
 *
 * The frames of a turn that has only read wait for `confirm`: its inputs are in the next entry.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Engine } from "../engine/Engine.ts"
import type { Input } from "../engine/Inputs.ts"
import { engineVersion } from "../engine/version.ts"
import type { Fenced, Leadership, LogDamaged, LogError, Position } from "../Log.ts"
import { EntryWriter } from "../protocol/InputEntry.ts"
import type { Commit } from "./Gate.ts"

/** An entry has these bytes and an input at most. */
const entryBytes = 1024 * 1024

/** Bytes of inputs of turns that have only read, and are not in the log yet. */
const unloggedBytesMax = 64 * 1024

/** How long the log waits until it repeats what the store could not do. */
const pause = "100 millis"

/** The log of one manager that leads. */
export class InputLog {
  readonly #engine: Engine
  readonly #leadership: Leadership
  /** The position of the last entry. */
  #position: Position
  readonly #writer: EntryWriter
  /** Entries that wait for the append. */
  #entries: Array<Uint8Array> = []
  /** Releases of turns whose inputs are in these entries and in the writer. */
  #releases: Array<() => void> = []
  /** Whether one of these turns has changed something. */
  #isChanged = false
  /** Whether the present turn has only read, and where the engine was before it. */
  #isReading = true
  #index: number
  #arrivals: number
  #isStopped = false
  /** Done when there is something to do. */
  #work = Deferred.makeUnsafe<void>()
  /** Those that wait until nothing is to do. */
  #idle: Array<() => void> = []

  constructor(engine: Engine, leadership: Leadership, position: Position) {
    this.#engine = engine
    this.#leadership = leadership
    this.#position = position
    this.#writer = new EntryWriter(engineVersion, engine)
    this.#index = engine.state.index
    this.#arrivals = engine.state.arrivals
  }

  /** The commit policy of the gate. */
  readonly commit: Commit = (release) => {
    this.#releases.push(release)
  }

  /** Adds an input, before its step. */
  write(input: Input): void {
    if (this.#writer.bytes >= entryBytes) this.#entries.push(this.#writer.take(this.#engine.state.index))
    this.#isReading &&= input._tag === "Time" || this.#isRead(input)
    this.#writer.write(input)
  }

  /** Writes nothing from now on: the last input is one whose step has thrown. */
  stop(): void {
    this.#isStopped = true
  }

  /** The turn is over, and the gate has its frames. */
  endTurn(): void {
    const { arrivals, index } = this.#engine.state
    this.#isChanged ||= !this.#isReading || arrivals !== this.#arrivals || index !== this.#index
    this.#isReading = true
    this.#index = index
    this.#arrivals = arrivals
    if (this.#hasWork) Deferred.doneUnsafe(this.#work, Effect.void)
  }

  /** Appends and releases for ever. Fails when this manager may not lead any more. */
  readonly run: Effect.Effect<never, Fenced | LogDamaged> = Effect.forever(Effect.suspend(() => {
    if (this.#hasWork) return this.#persist
    for (const resume of this.#idle.splice(0)) resume()
    this.#work = Deferred.makeUnsafe()
    return Deferred.await(this.#work)
  }))

  /** Waits until every turn that has changed something is in the log, and all frames have left. */
  readonly flushed: Effect.Effect<void> = Effect.callback((resume) => {
    this.#idle.push(() => resume(Effect.void))
    Deferred.doneUnsafe(this.#work, Effect.void)
  })

  get #hasWork(): boolean {
    return !this.#isStopped &&
      (this.#isChanged || this.#releases.length > 0 || this.#writer.bytes > unloggedBytesMax)
  }

  readonly #persist = Effect.suspend(() => {
    const releases = this.#releases
    const isLogged = this.#isChanged || this.#writer.bytes > unloggedBytesMax
    const entries = isLogged ? [...this.#entries, this.#writer.take(this.#engine.state.index)] : []
    if (isLogged) this.#entries = []
    this.#releases = []
    this.#isChanged = false
    const durable = isLogged
      ? Effect.forEach(entries, this.#append, { discard: true })
      : patiently(this.#leadership.confirm)
    return Effect.andThen(durable, Effect.sync(() => releases.forEach((release) => release())))
  })

  readonly #append = (entry: Uint8Array) =>
    Effect.andThen(
      patiently(this.#leadership.append(this.#position, entry)),
      Effect.sync(() => this.#position++)
    )

  #isRead(input: Input): boolean {
    return input._tag === "Request" &&
      input.calls.every(({ object, operation }) =>
        this.#engine.state.objects.get(object)?.operations[operation]?.[1].access === "read"
      )
  }
}

/** Repeats what the store cannot do now. Nothing is released meanwhile. */
export const patiently = (
  operation: Effect.Effect<void, Fenced | LogError>
): Effect.Effect<void, Fenced | LogDamaged> =>
  Effect.catchTag(
    operation,
    "LogUnavailable",
    ({ message }) =>
      Effect.logWarning(`${message}. The manager repeats it, and its clients wait`).pipe(
        Effect.andThen(Effect.retry(Effect.delay(operation, pause), { while: isUnavailable })),
        Effect.catchTag("LogUnavailable", Effect.die)
      )
  )

// internals

const isUnavailable = ({ _tag }: Fenced | LogError): boolean => _tag === "LogUnavailable"
