/** Signals that ask a command to end: Ctrl-C, a service manager's SIGTERM, and SIGHUP when a terminal is closed. */
import * as Effect from "effect/Effect"
import { constants } from "node:os"
import { Failure } from "./failure.ts"

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const

const signal = Effect.callback<NodeJS.Signals>((resume) => {
  const onSignal = (signal: NodeJS.Signals): void => resume(Effect.succeed(signal))
  for (const signal of signals) process.on(signal, onSignal)
  return Effect.sync(() => {
    for (const signal of signals) process.off(signal, onSignal)
  })
})

/** Runs a command that only a signal ends, which is its success. Its scopes end first. */
export const untilSignal = <A, E, R>(command: Effect.Effect<A, E, R>): Effect.Effect<void, E, R> =>
  Effect.asVoid(Effect.raceFirst(command, signal))

/** Runs a command that a signal makes fail, without a message. */
export const orFail = <A, E, R>(command: Effect.Effect<A, E, R>): Effect.Effect<A, E | Failure, R> =>
  Effect.raceFirst(
    command,
    Effect.flatMap(signal, (signal) => Effect.fail(new Failure({ code: 128 + constants.signals[signal], message: "" })))
  )
