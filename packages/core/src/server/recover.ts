/**
 * The engine of a realm, as its log says: the snapshot, then every entry after it, stepped again.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Checkpoint from "../engine/Checkpoint.ts"
import { Engine, type EngineOptions } from "../engine/Engine.ts"
import { Malformed } from "../engine/Format.ts"
import type { JournalEntry } from "../engine/Inputs.ts"
import type { EngineLimits } from "../engine/State.ts"
import { engineVersion } from "../engine/version.ts"
import * as Log from "../Log.ts"
import { Reader, Writer } from "../protocol/Bytes.ts"
import { readEntry, writeBeginning } from "../protocol/InputEntry.ts"

/** How a realm is led. */
export interface RecoverOptions extends Omit<EngineOptions, "epoch"> {
  readonly log: Log.Log["Service"]
  readonly realm: string
  /** Where clients reach this manager. */
  readonly leader: Log.Address
  /** The instance of the managers of this realm, if this one is the first. */
  readonly instance: string
  /** Entries that were stepped again, from which on a snapshot replaces them: the next start is faster. */
  readonly compactAfter?: number | undefined
}

/** An engine that leads its realm. */
export interface Recovered {
  readonly engine: Engine
  readonly instance: string
  readonly leadership: Log.Leadership
  /** The position of the last entry. */
  readonly position: Log.Position
}

/** The default of `compactAfter`. */
const entriesMax = 10_000

/** Bytes of a part of a snapshot. */
const partBytes = 1024 * 1024

/**
 * Claims a realm, and brings an engine to the end of its log. The log has the limits of this manager then, under which the
 * next inputs are stepped. The end of the scope gives the realm up.
 */
export const recover = Effect.fnUntraced(
  function*(
    { compactAfter = entriesMax, instance: first, journal, kinds, leader, limits, log, realm }: RecoverOptions
  ): Effect.fn.Return<
    Recovered,
    Log.LogError | Log.LogNotOpened | Log.Fenced,
    Scope.Scope
  > {
    const claimed = yield* log.claim(realm, yield* log.head(realm), leader)
    if (Option.isNone(claimed)) {
      return yield* new Log.LogUnavailable({ realm, issue: "another host has claimed it at the same time" })
    }
    const leadership = claimed.value
    let isLive = false
    const options = {
      epoch: leadership.epoch,
      kinds,
      // Its own, because each leader of the log had its limits.
      limits: { ...limits },
      journal: journal && ((entry: JournalEntry) => isLive ? journal(entry) : undefined)
    }
    const snapshot = Option.getOrUndefined(yield* log.snapshot(realm))
    const run = snapshot === undefined
      ? { engine: new Engine(options), instance: first }
      : yield* load(options, realm, snapshot)
    const { engine } = run
    const begin = snapshot?.position ?? 0
    yield* Stream.runForEach(log.read(realm, begin), (entry) => replay(run, realm, entry)).pipe(
      Effect.catchTag("Compacted", ({ message }) => Effect.fail(new Log.LogUnavailable({ realm, issue: message })))
    )
    const { position } = leadership
    if (position - begin >= compactAfter) {
      yield* Effect.catchTag(
        log.putSnapshot(realm, save(run, position)),
        "LogUnavailable",
        ({ message }) => Effect.logWarning(message)
      )
    }
    Object.assign(engine.state.limits, limits)
    engine.state.epoch = leadership.epoch
    const { instance } = run
    yield* leadership.append(position, writeBeginning(engineVersion, { instance, limits: numbersOf(limits) }))
    isLive = true
    return { engine, instance, leadership, position: position + 1 }
  }
)

// internals

const numbersOf = (limits: EngineLimits): Readonly<Record<string, number>> => ({ ...limits })

/** An engine that steps a log again, and the instance that the log has told. */
interface Replay {
  readonly engine: Engine
  instance: string
}

/** Steps the inputs of an entry again. */
const replay = (
  run: Replay,
  realm: string,
  { bytes, epoch, position }: Log.Entry
): Effect.Effect<void, Log.LogDamaged | Log.LogNotOpened> =>
  Effect.suspend((): Effect.Effect<void, Log.LogDamaged | Log.LogNotOpened> => {
    const { engine, engine: { state } } = run
    state.epoch = epoch
    const entry = readEntry(bytes, engine, (input) => engine.step(input))
    engine.takeOutputs()
    if (entry !== undefined && entry.engineVersion !== engineVersion) {
      return Effect.fail(otherVersion(realm, `entry ${position}`, entry.engineVersion))
    }
    if (entry === undefined) {
      return Effect.fail(new Log.LogDamaged({ realm, issue: `entry ${position} cannot be read` }))
    }
    if (entry._tag === "Beginning") {
      run.instance = entry.instance
      Object.assign(state.limits, entry.limits)
    } else if (entry.index !== state.index) {
      const issue = `entry ${position} led to index ${entry.index}, and now leads to index ${state.index}. ` +
        "Were its own kinds changed"
      return Effect.fail(new Log.LogDamaged({ realm, issue }))
    }
    return Effect.void
  })

const otherVersion = (realm: string, what: string, version: number): Log.LogNotOpened =>
  new Log.LogNotOpened({
    address: `of "${realm}"`,
    why: "NewerFormat",
    issue: `${what} was written by version ${version} of the engine, and this release has version ${engineVersion}`
  })

/** A snapshot: with what the last leader began, then the state as JSON. */
const save = ({ engine: { state }, instance }: Replay, position: Log.Position): Log.Snapshot => {
  const writer = new Writer()
  writer.bytes(writeBeginning(engineVersion, { instance, limits: numbersOf(state.limits) }))
  writer.text(JSON.stringify(Checkpoint.save(state)))
  const bytes = writer.take()
  const parts = Array.from(
    { length: Math.ceil(bytes.length / partBytes) },
    (_, i) => bytes.subarray(i * partBytes, (i + 1) * partBytes)
  )
  return { position, epoch: state.epoch, engineVersion, bytes: Stream.fromIterable(parts) }
}

const load = Effect.fnUntraced(function*(
  options: EngineOptions,
  realm: string,
  { bytes, engineVersion: version }: Log.Snapshot
) {
  if (version !== engineVersion) return yield* otherVersion(realm, "the snapshot", version)
  const reader = new Reader(yield* Stream.mkUint8Array(bytes))
  const beginning = readEntry(reader.bytes(), noOperations, () => {})
  const state = Result.try((): unknown => JSON.parse(reader.text()))
  const damaged = (issue: string) => new Log.LogDamaged({ realm, issue: `its snapshot cannot be read: ${issue}` })
  if (beginning?._tag !== "Beginning" || Result.isFailure(state)) return yield* damaged("it is no snapshot")
  const limits = { ...options.limits, ...beginning.limits }
  const engine = Checkpoint.load({ ...options, limits }, state.success)
  return engine instanceof Malformed ? yield* damaged(engine.reason) : { engine, instance: beginning.instance }
})

const noOperations = { nameOf: () => undefined, positionOf: () => undefined }
