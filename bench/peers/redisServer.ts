/** A private redis-server that keeps nothing on disk, for the life of the scope. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { BenchError } from "../rounds.ts"

/** The program's name. */
export const program = "redis-server"

/** Starts it on a Unix socket. */
export const start = (path: string, folder: string): Effect.Effect<void, BenchError, Scope.Scope> =>
  Effect.gen(function*() {
    const settings = { port: "0", unixsocket: path, dir: folder, save: "", appendonly: "no" }
    const args = Object.entries(settings).flatMap(([name, setting]) => [`--${name}`, setting])
    yield* Effect.acquireRelease(
      Effect.sync((): ChildProcess => spawn(program, args, { stdio: "ignore" }).on("error", () => {})),
      (server) => Effect.sync(() => server.kill("SIGKILL"))
    )
    yield* Effect.suspend(() =>
      existsSync(path) ? Effect.void : Effect.fail(new BenchError({ issue: `${program} does not listen` }))
    ).pipe(Effect.retry({ schedule: Schedule.spaced(20), times: 250 }))
  })
