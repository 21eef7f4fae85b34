/**
 * The host of the engine: it takes turns, one at a time.
 *
 * ```text
 *   turn ─► step(time) ─► step(input) … ─► outputs ─► shells ─► frames ─► gate
 * ```
 *
 * Every input of the engine passes through `step`, and every frame leaves through the gate when its turn is over
 * (S-1, S-3). The host wakes up for the engine's deadlines. With a log (`InputLog.ts`) an input is written before its step.
 *
 * A step that throws is the last one, because the state is unknown (S-2). What throws for one session outside of a step,
 * while its messages are read or written, ends that session alone.
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
import type { Fenced } from "../Log.ts"
import { Recorder } from "../metrics/Recorder.ts"
import { type Commit, Gate } from "./Gate.ts"
import type { InputLog } from "./InputLog.ts"
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
  /** Has every input, and is the commit policy. Default: inputs are kept nowhere. */
  readonly log?: InputLog | undefined
}

/** What the host runs between two of its own steps, mostly for one session. */
export interface Turn {
  /** The session that is to blame when it throws outside of a step. Absent: the host. */
  readonly shell?: SessionShell
  readonly run: () => void
}

/** A hosted engine. */
export interface EngineHost {
  readonly engine: Engine
  /** The receiver of each session's outputs. */
  readonly shells: Map<SessionId, SessionShell>
  readonly gate: Gate
  /** Applies one input. Only within a turn. */
  readonly step: (input: Input) => void
  /** Runs a turn, now or right after the running turn. After a defect it does nothing. */
  readonly turn: (turn: Turn) => void
  /** Dies with the reason for which the state can no longer be trusted. Fails when another host leads. */
  readonly defect: Deferred.Deferred<never, Fenced>
  /** Done when an owner has asked for the end of the manager. */
  readonly shutdown: Deferred.Deferred<void>
}

/** Hosts an engine for the life of the scope. */
export const make = (
  engine: Engine,
  { commit, log, monitor }: EngineHostOptions
): Effect.Effect<EngineHost, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const meter = (yield* Recorder)?.turns
    const defect = yield* Deferred.make<never, Fenced>()
    const shutdown = yield* Deferred.make<void>()
    const runTimer = yield* FiberHandle.runtime(yield* FiberHandle.make<void, never>())<never>()
    const gate = new Gate(log?.commit ?? commit)
    const shells = new Map<SessionId, SessionShell>()
    /** Shells that were told something in this turn. */
    const told = new Set<SessionShell>()
    /** Turns that wait for the running one: a session may end while its turn runs. */
    const asked: Array<Turn> = []
    /** Of the timer that is set. */
    let deadline: number | undefined
    let read = clock.currentTimeMillisUnsafe()
    let now = Math.max(read, engine.state.now)
    /** False while a turn runs, and for ever after one that threw. */
    let isTrusted = true
    /** Whether a step has begun and not returned. */
    let isStepping = false
    /** The session whose messages are being read or written. */
    let served: SessionShell | undefined
    /** Outputs that are being told. */
    let outputs = none
    let toldCount = 0

    const step = (input: Input): void => {
      isStepping = true
      log?.write(input)
      const before = engine.state.outputs.length
      engine.step(input)
      const broken = monitor?.(engine, engine.state.outputs.slice(before)) ?? []
      if (broken.length > 0) throw new Error(broken.join("\n"))
      isStepping = false
    }

    const release = (): void => {
      // A shell takes back an output that fits into no frame: that is a step with outputs of its own.
      while (toldCount < outputs.length || engine.state.outputs.length > 0) {
        if (toldCount === outputs.length) {
          outputs = engine.takeOutputs()
          toldCount = 0
        }
        const output = outputs[toldCount++]!
        if (output._tag === "Shutdown") {
          Deferred.doneUnsafe(shutdown, Effect.void)
          continue
        }
        served = shells.get(output.session)
        if (served === undefined) continue
        told.add(served)
        served.tell(output)
      }
      outputs = none
      toldCount = 0
      for (const shell of told) {
        told.delete(shell)
        served = shell
        shell.endTurn()
      }
      served = undefined
      gate.endTurn()
      log?.endTurn()
    }

    const setTimer = (): void => {
      const next = engine.nextDeadline
      if (next === deadline) return
      deadline = next
      if (next === undefined) return
      runTimer(Effect.andThen(Effect.sleep(Math.max(0, next - now)), wake))
    }

    /** A timer may fire before its deadline: whatever this turn ends, the next deadline gets a timer. */
    const wake = Effect.sync(() => {
      deadline = undefined
      turn(idle)
    })

    /** Time of the engine: that of the clock, which people may set back. */
    const tick = (): number => {
      const before = read
      read = clock.currentTimeMillisUnsafe()
      return now += Math.max(0, read - before)
    }

    const endTurn = (): void => {
      served = undefined
      release()
      setTimer()
    }

    const runAsked = (): void => {
      for (let next = asked.shift(); next !== undefined; next = asked.shift()) {
        const began = meter?.now()
        step({ _tag: "Time", now: tick() })
        served = next.shell
        next.run()
        endTurn()
        if (began !== undefined) meter?.ended(began)
      }
    }

    /** After one session broke off a turn: the turn goes on for the others. */
    const resume = (): void => {
      endTurn()
      runAsked()
    }

    /** Whether only one session is broken, which then ends. */
    const isOfSession = (defect: unknown): boolean => {
      if (isStepping || served === undefined) return false
      served.fail(defect)
      told.delete(served)
      return true
    }

    const stop = (exit: Exit.Exit<never, Fenced>): void => {
      isTrusted = false
      log?.stop()
      Deferred.doneUnsafe(defect, exit)
    }

    const turn = (next: Turn): void => {
      asked.push(next)
      if (!isTrusted) return
      isTrusted = false
      let ran = Result.try(runAsked)
      while (Result.isFailure(ran) && isOfSession(ran.failure)) ran = Result.try(resume)
      if (Result.isSuccess(ran)) isTrusted = true
      else stop(Exit.die(ran.failure))
    }

    if (log !== undefined) {
      const ended = log.run.pipe(
        Effect.catch((error) => Effect.sync(() => stop(error._tag === "Fenced" ? Exit.fail(error) : Exit.die(error)))),
        // Otherwise no frame would be released any more, and every client would wait for ever.
        Effect.catchDefect((defect) => Effect.sync(() => stop(Exit.die(defect))))
      )
      yield* Effect.forkScoped(ended)
    }

    // An engine that goes on where another host has stopped may have deadlines.
    setTimer()
    return { engine, shells, gate, step, turn, defect, shutdown }
  })

// internals

const none: ReadonlyArray<Output> = []

/** The turn of a timer: its step of time is all. */
const idle: Turn = { run: () => {} }
