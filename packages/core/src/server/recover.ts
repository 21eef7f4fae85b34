/**
 * The engine of a realm, as its log says: the snapshot, then every entry after it, stepped again.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Engine, EngineOptions } from "../engine/Engine.ts"
import type { JournalEntry } from "../engine/Inputs.ts"
import type { EngineLimits } from "../engine/State.ts"
import { engineVersion } from "../engine/version.ts"
import * as Log from "../Log.ts"
import { writeBeginning } from "../protocol/InputEntry.ts"
import * as Replay from "./Replay.ts"

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
export const entriesMax = 10_000

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
    const replay = yield* Replay.begin({
      epoch: leadership.epoch,
      kinds,
      limits,
      journal: journal && ((entry: JournalEntry) => isLive ? journal(entry) : undefined),
      log,
      realm,
      instance: first
    })
    const begin = replay.position
    yield* Effect.catchTag(
      replay.advance,
      "Compacted",
      ({ message }) => Effect.fail(new Log.LogUnavailable({ realm, issue: message }))
    )
    if (replay.position - begin >= compactAfter) yield* replay.compact
    const { engine, instance } = replay
    const position = yield* beginToLead(replay, leadership, limits)
    isLive = true
    return { engine, instance, leadership, position }
  }
)

/**
 * Begins a period of a leader, whose engine has stepped all entries before it: its limits and the instance are the first
 * entry. Returns the position of that.
 */
export const beginToLead = Effect.fnUntraced(
  function*(
    { engine: { state }, instance, position }: Replay.Replay,
    leadership: Log.Leadership,
    limits: EngineLimits
  ) {
    Object.assign(state.limits, limits)
    state.epoch = leadership.epoch
    yield* leadership.append(position, writeBeginning(engineVersion, { instance, limits: { ...limits } }))
    return position + 1
  }
)
