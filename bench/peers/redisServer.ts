/** A private redis-server, for the life of the scope. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import { connect } from "node:net"
import { BenchError } from "../rounds.ts"

/** The program's name. */
export const program = "redis-server"

/** Settings of a redis-server, by their names. It listens at the Unix socket, or else at the port of loopback. */
export interface Settings {
  readonly port: string
  readonly unixsocket?: string
  readonly appendonly?: string
  readonly appendfsync?: string
}

/** Starts it. It keeps nothing on disk, unless the settings say so. */
export const start = (settings: Settings, folder: string): Effect.Effect<void, BenchError, Scope.Scope> =>
  Effect.gen(function*() {
    const all = { bind: "127.0.0.1", dir: folder, save: "", appendonly: "no", ...settings }
    const args = Object.entries(all).flatMap(([name, setting]) => [`--${name}`, setting])
    yield* Effect.acquireRelease(
      Effect.sync((): ChildProcess => spawn(program, args, { stdio: "ignore" }).on("error", () => {})),
      (server) => Effect.sync(() => server.kill("SIGKILL"))
    )
    yield* Effect.retry(listens(settings), { schedule: Schedule.spaced(20), times: 250 })
  })

// internals

const listens = ({ port, unixsocket }: Settings): Effect.Effect<void, BenchError> =>
  Effect.callback((resume) => {
    const target = unixsocket === undefined ? { host: "127.0.0.1", port: Number(port) } : { path: unixsocket }
    const socket = connect(target)
      .once("connect", () => {
        socket.destroy()
        resume(Effect.void)
      })
      .once("error", () => resume(Effect.fail(new BenchError({ issue: `${program} does not listen` }))))
  })
