/**
 * The host of the engine: it takes turns, one at a time.
 *
 * ```text
 *   turn ─► step(time) ─► step(input) … ─► outputs ─► shells ─► frames ─► gate
 * ```
 *
 * Every input of the engine passes through `step`, and every frame leaves through the gate when its turn is over
 * (S-1, S-3). The host wakes up for the engine's deadlines. A turn that throws is the last one (S-2).
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberHandle from "effect/FiberHandle"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Engine } from "../engine/Engine.ts"
import type { Input, Output, SessionId } from "../engine/Inputs.ts"
import { type Commit, Gate } from "./Gate.ts"
import type { SessionShell } from "./SessionShell.ts"

/** How an engine is hosted. */
export interface EngineHostOptions {
  /**
   * Sees every step before its outputs are released: the simulator's judge. The sentences that it returns stop the
   * server.
   */
  readonly monitor?: ((engine: Engine, outputs: ReadonlyArray<Output>) => ReadonlyArray<string>) | undefined
  /** Holds the frames of each turn until it releases them. Default: they leave at once. */
  readonly commit?: Commit | undefined
}

/** A hosted engine. */
export interface EngineHost {
  readonly engine: Engine
  /** The receiver of each session's outputs. */
  readonly shells: Map<SessionId, SessionShell>
  readonly gate: Gate
  /** Applies one input. Only within a turn. */
  readonly step: (input: Input) => void
  /** Runs a turn with these inputs, now or right after the running turn. After a defect it does nothing. */
  readonly turn: (inputs: () => void) => void
  /** Fails with the reason for which the state can no longer be trusted. */
  readonly defect: Deferred.Deferred<never>
}

/** Hosts an engine for the life of the scope. */
export const make = (
  engine: Engine,
  { commit, monitor }: EngineHostOptions
): Effect.Effect<EngineHost, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const defect = yield* Deferred.make<never>()
    const runTimer = yield* FiberHandle.runtime(yield* FiberHandle.make<void, never>())<never>()
    const gate = new Gate(commit)
    const shells = new Map<SessionId, SessionShell>()
    /** Shells that were told something in this turn. */
    const told = new Set<SessionShell>()
    /** Turns that wait for the running one: a session may end while its turn runs. */
    const asked: Array<() => void> = []
    let deadline: number | undefined
    /** False while a turn runs, and for ever after one that threw. */
    let isTrusted = true

    const step = (input: Input): void => {
      const before = engine.state.outputs.length
      engine.step(input)
      const broken = monitor?.(engine, engine.state.outputs.slice(before)) ?? []
      if (broken.length > 0) throw new Error(broken.join("\n"))
    }

    const release = (): void => {
      // A shell takes back an output that fits into no frame: that is a step with outputs of its own.
      while (engine.state.outputs.length > 0) {
        for (const output of engine.takeOutputs()) {
          const shell = shells.get(output.session)
          if (shell === undefined) continue
          shell.tell(output)
          told.add(shell)
        }
      }
      for (const shell of told) shell.endTurn()
      told.clear()
      gate.endTurn()
    }

    const setTimer = (): void => {
      const next = engine.nextDeadline
      if (next === deadline) return
      deadline = next
      if (next === undefined) return
      const wait = Effect.sleep(next - clock.currentTimeMillisUnsafe())
      runTimer(Effect.andThen(wait, Effect.sync(() => turn(() => {}))))
    }

    const runAsked = (): void => {
      for (let next = asked.shift(); next !== undefined; next = asked.shift()) {
        step({ _tag: "Time", now: clock.currentTimeMillisUnsafe() })
        next()
        release()
        setTimer()
      }
    }

    const turn = (inputs: () => void): void => {
      asked.push(inputs)
      if (!isTrusted) return
      isTrusted = false
      const ran = Result.try(runAsked)
      if (Result.isSuccess(ran)) isTrusted = true
      else Deferred.doneUnsafe(defect, Exit.die(ran.failure))
    }

    return { engine, shells, gate, step, turn, defect }
  })
