/**
 * The engine to which a log leads: that of the snapshot, which then steps every entry after it.
 *
 * ```text
 *   snapshot ─► begin ─► engine ◄─ advance ◄─ entries
 *                          └─► save ─► the next snapshot
 * ```
 *
 * The next leader has its state from here, and so has whoever writes a snapshot for a leader.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Checkpoint from "../engine/Checkpoint.ts"
import { Engine, type EngineOptions } from "../engine/Engine.ts"
import { Malformed } from "../engine/Format.ts"
import { engineVersion } from "../engine/version.ts"
import * as Log from "../Log.ts"
import { Reader, Writer } from "../protocol/Bytes.ts"
import { readEntry, writeBeginning } from "../protocol/InputEntry.ts"
import * as JsonTexts from "../protocol/JsonTexts.ts"

/** Whose log is stepped again, and by which engine. */
export interface ReplayOptions extends EngineOptions {
  readonly log: Log.Log["Service"]
  readonly realm: string
  /** The instance of the managers of this realm, if the log tells none yet. */
  readonly instance: string
}

/** An engine that steps a log again. */
export class Replay {
  readonly engine: Engine
  /** The position of the last entry that was stepped. */
  position: Log.Position
  /** The instance that the log has told. */
  instance: string
  readonly #log: Log.Log["Service"]
  readonly #realm: string

  constructor(engine: Engine, position: Log.Position, { instance, log, realm }: Omit<ReplayOptions, "limits">) {
    this.engine = engine
    this.position = position
    this.instance = instance
    this.#log = log
    this.#realm = realm
  }

  /** Steps all entries that the log has now. The log reads the next page meanwhile. */
  get advance(): Effect.Effect<void, Log.LogError | Log.LogNotOpened | Log.Compacted> {
    const pages = Stream.bufferArray(this.#log.read(this.#realm, this.position), { capacity: 1 })
    return Stream.runForEachArray(pages, (entries) => {
      for (const entry of entries) {
        const error = this.#step(entry)
        if (error !== undefined) return Effect.fail(error)
      }
      return Effect.void
    })
  }

  /** Replaces all entries so far by a snapshot. What prevents it is logged: the log grows, and the manager goes on. */
  get compact(): Effect.Effect<void, Log.LogDamaged> {
    const grows = `No snapshot was made, so the log of "${this.#realm}" grows`
    return Effect.suspend(() => this.#log.putSnapshot(this.#realm, this.save())).pipe(
      Effect.catchTag("LogUnavailable", ({ message }) => Effect.logWarning(`${grows}: ${message}`)),
      Effect.catchDefect((defect) => Effect.logError(grows, Cause.die(defect)))
    )
  }

  /** A snapshot of the present state: the limits and the instance, then the state as JSON. */
  save(): Log.Snapshot {
    const { instance, position } = this
    const { state } = this.engine
    const beginning = writeBeginning(engineVersion, { instance, limits: { ...state.limits } })
    const saved = Checkpoint.save(state)
    const bytes = Stream.suspend(() => {
      const writer = new Writer()
      writer.bytes(beginning)
      // Each text is made when the one before is stored.
      return Stream.map(Stream.fromIterable(JsonTexts.write(saved), { chunkSize: 1 }), (text) => {
        writer.text(text)
        return writer.take()
      })
    })
    return { position, epoch: state.epoch, engineVersion, bytes }
  }

  /** Steps the inputs of an entry, or returns the reason for which the engine cannot go on. */
  #step({ bytes, epoch, position }: Log.Entry): Log.LogDamaged | Log.LogNotOpened | undefined {
    const { state } = this.engine
    state.epoch = epoch
    const entry = readEntry(bytes, this.engine, (input) => this.engine.step(input))
    this.engine.takeOutputs()
    if (entry === undefined) return damaged(this.#realm, `entry ${position} cannot be read`)
    if (entry.engineVersion !== engineVersion) {
      return otherVersion(this.#realm, position, entry.engineVersion)
    }
    this.position = position
    if (entry._tag === "Beginning") {
      this.instance = entry.instance
      Object.assign(state.limits, entry.limits)
    } else if (entry.index !== state.index) {
      const issue = `entry ${position} led to index ${entry.index}, and now leads to index ${state.index}. ` +
        "Were its own kinds changed"
      return damaged(this.#realm, issue)
    }
    return undefined
  }
}

/** Begins with the snapshot of a log, or with the state of a new manager. */
export const begin = Effect.fnUntraced(
  function*(given: ReplayOptions): Effect.fn.Return<Replay, Log.LogError | Log.LogNotOpened> {
    const { log, realm } = given
    // Its own limits, because each leader of the log had other ones.
    const options = { ...given, limits: { ...given.limits } }
    const snapshot = Option.getOrUndefined(yield* log.snapshot(realm))
    return snapshot === undefined ? new Replay(new Engine(options), 0, options) : yield* load(options, snapshot)
  }
)

/** A snapshot of the state to which a log leads now. */
export const snapshot = (
  options: ReplayOptions
): Effect.Effect<Log.Snapshot, Log.LogError | Log.LogNotOpened | Log.Compacted> =>
  Effect.gen(function*() {
    const replay = yield* begin(options)
    yield* replay.advance
    return replay.save()
  })

// internals

const damaged = (realm: string, issue: string): Log.LogDamaged => new Log.LogDamaged({ realm, issue })

const otherVersion = (realm: string, position: Log.Position, version: number): Log.LogNotOpened =>
  new Log.LogNotOpened({
    address: `of "${realm}"`,
    why: version < engineVersion ? "OlderFormat" : "NewerFormat",
    issue:
      `entry ${position} was written by version ${version} of the engine, and this release has version ${engineVersion}`
  })

/** A state is no input: that of another version is loaded, too, if its format is known. */
const load = Effect.fnUntraced(function*(options: ReplayOptions, { bytes, position }: Log.Snapshot) {
  const { realm } = options
  const reader = new Reader(yield* Stream.mkUint8Array(bytes))
  const beginning = readEntry(reader.bytes(), noOperations, () => {})
  const state = Result.try(() => JsonTexts.read(textsOf(reader)))
  const unreadable = (issue: string) => damaged(realm, `its snapshot cannot be read: ${issue}`)
  if (beginning?._tag !== "Beginning" || Result.isFailure(state)) return yield* unreadable("it is no snapshot")
  const limits = { ...options.limits, ...beginning.limits }
  const engine = Checkpoint.load({ ...options, limits }, state.success)
  return engine instanceof Malformed
    ? yield* unreadable(engine.reason)
    : new Replay(engine, position, { ...options, instance: beginning.instance })
})

function* textsOf(reader: Reader): Generator<string, void> {
  while (!reader.done) yield reader.text()
}

const noOperations = { nameOf: () => undefined, positionOf: () => undefined }
