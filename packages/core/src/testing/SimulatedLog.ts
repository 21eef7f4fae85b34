/**
 * The log of simulated managers, with the faults of a seed, and what must hold of it after the run.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Checkpoint from "../engine/Checkpoint.ts"
import type { Engine, EngineOptions } from "../engine/Engine.ts"
import type { JournalEntry } from "../engine/Inputs.ts"
import type * as Log from "../Log.ts"
import { recover, type RecoverOptions } from "../server/recover.ts"
import * as Replay from "../server/Replay.ts"
import { checkGraces } from "./GraceCheck.ts"
import { type LogFault, type LogOperation, makeMemoryLog } from "./MemoryLog.ts"
import { Random } from "./Random.ts"

type Service = Log.Log["Service"]

/** The faults of each operation. */
const faults: Readonly<Record<LogOperation, ReadonlyArray<LogFault>>> = {
  head: ["unavailable", "slow"],
  claim: ["unavailable", "unknown", "slow", "fenced"],
  append: ["unavailable", "unknown", "slow"],
  confirm: ["unavailable", "slow"],
  read: ["unavailable", "slow"],
  snapshot: ["unavailable", "slow", "torn"],
  putSnapshot: ["unavailable", "unknown", "slow"]
}

/** A log that is late, fails, or fails though it has done what it should, and whose realm others claim. */
export class SimulatedLog {
  /** How a manager has this log. */
  readonly options: Pick<RecoverOptions, "log" | "realm" | "leader" | "compactAfter">
  readonly #log: Service
  #hasFaults = false
  /** Every entry, also those that a snapshot has replaced. */
  readonly #entries: Array<Log.Entry> = []

  /** `onLog` may tamper with the log that the managers have. */
  constructor(seed: number, onLog: (log: Service) => Service) {
    const random = new Random(seed ^ 0x10f)
    const often = random.pick([0, 0.05, 0.3])
    const log = makeMemoryLog({
      fault: (operation) => {
        if (!this.#hasFaults) return undefined
        // Seldom, because each one is the end of a manager.
        if (operation === "append" && random.chance(often / 100)) return "fenced"
        return random.chance(often) ? random.pick(faults[operation]) : undefined
      }
    })
    const kept: Service = {
      ...log,
      putSnapshot: (realm, snapshot) =>
        Effect.andThen(Effect.sync(() => this.#keep()), log.putSnapshot(realm, snapshot))
    }
    this.#log = kept
    this.options = {
      log: onLog(kept),
      realm: "simulated",
      leader: { host: "manager", port: 0 },
      compactAfter: random.pick([1, 10, Infinity])
    }
  }

  /** The first manager has begun: from now on there are faults. */
  begin(): void {
    this.#hasFaults = true
  }

  /**
   * What the log says was done, and how a manager that steps all entries again, one that begins with the last snapshot, and
   * the newest one differ, as sentences.
   */
  judge(options: Omit<EngineOptions, "epoch">, newest: Engine | undefined) {
    this.#hasFaults = false
    const journal: Array<JournalEntry> = []
    const differences: Array<string> = []
    const run = Effect.gen({ self: this }, function*() {
      this.#keep()
      const { realm } = this.options
      const whole: Service = {
        ...this.#log,
        snapshot: () => Effect.succeed(Option.none()),
        read: () => Stream.fromIterable(this.#entries)
      }
      const again = yield* Replay.begin({
        ...options,
        log: whole,
        realm,
        instance: "",
        epoch: 0,
        journal: (entry) => journal.push(entry)
      })
      checkGraces(again.engine, (sentence) => differences.push(sentence))
      yield* again.advance
      const { engine } = yield* Effect.scoped(recover({ ...options, ...this.options, log: this.#log, instance: "" }))
      if (saved(engine) !== saved(again.engine)) differences.push("I1: a snapshot leads to another state")
      if (newest !== undefined && saved(engine) !== saved(newest)) {
        differences.push("I1: a manager that begins with the log has another state")
      }
    })
    const exit = Effect.runSyncExit(run)
    if (Exit.isFailure(exit)) differences.push(`the log cannot be stepped again: ${Cause.pretty(exit.cause)}`)
    return { journal, differences }
  }

  /** Keeps the entries that a snapshot may replace. */
  #keep(): void {
    const hasFaults = this.#hasFaults
    this.#hasFaults = false
    this.#entries.push(...Effect.runSync(Stream.runCollect(this.#log.read(this.options.realm, this.#entries.length))))
    this.#hasFaults = hasFaults
  }
}

// internals

/** The last turns may have brought nothing but the time. They are not in the log. */
const saved = ({ state }: Engine): string => JSON.stringify(Checkpoint.save({ ...state, epoch: 0, now: 0 }))
