/** `emp serve`: a manager in the foreground, until a signal ends it. */
import { type Kind, Manager } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { type Failure, failureOf, wrongUsage } from "./failure.ts"
import { keyIn, keyOf, makeKeyFile, type ManagerAt, textOf } from "./managerAt.ts"
import * as Output from "./output.ts"

/** The options of `serve`. */
export interface Options extends Pick<ManagerAt, "keyFile"> {
  /** The path of its Unix socket. */
  readonly socket: Option.Option<string>
  /** Ports, each as `HOST:PORT`. Port 0 is a free one. */
  readonly listen: ReadonlyArray<string>
  /** The files with the certificate of its ports and its private key, which come together. Absent: loopback only. */
  readonly cert: Option.Option<string>
  readonly certKey: Option.Option<string>
  /** The file with the authorities of the certificates that clients must show. Absent: they need none. */
  readonly clientCa: Option.Option<string>
  /** The files with the keys of clients and of observers. Absent: there are none. `keyFile` has the owner's. */
  readonly clientKeyFile: Option.Option<string>
  readonly observerKeyFile: Option.Option<string>
  readonly makeKeyFile: boolean
  /** A module that exports the own kinds of its objects as `kinds`. */
  readonly kinds: Option.Option<string>
}

/** Runs a manager until an owner shuts it down, and says on standard output that it listens. */
export const serve = (options: Options): Effect.Effect<void, unknown> =>
  Effect.gen(function*() {
    const { keyFile, listen } = options
    const socket = Option.getOrUndefined(options.socket)
    if (socket === undefined && listen.length === 0) {
      return yield* wrongUsage("where to listen is missing. Give --socket PATH or --listen HOST:PORT")
    }
    const address = yield* Effect.forEach(listen, addressOf)
    const tls = yield* tlsOf(options)
    if (options.makeKeyFile) {
      if (Option.isNone(keyFile)) return yield* wrongUsage("--make-key-file needs --key-file FILE: the file to make")
      const files = [keyFile, options.clientKeyFile, options.observerKeyFile].flatMap(Option.toArray)
      yield* Effect.forEach(files, makeKeyFile)
    }
    const keys = {
      owner: yield* keyOf(options),
      client: yield* keyIn(options.clientKeyFile),
      observer: yield* keyIn(options.observerKeyFile)
    }
    const kinds = Option.isSome(options.kinds) ? yield* load(options.kinds.value) : []
    const server = NodeManager.layerServer({ path: socket, address, tls, keys, kinds })
    const running = Effect.gen(function*() {
      const { endpoint, status } = yield* Manager.Manager
      const urls = endpoint?.urls ?? []
      const shown = socket === undefined ? urls : [socket, ...urls.slice(1)]
      yield* Output.print(`the manager listens at ${shown.join(" and ")}`)
      const last = yield* Stream.runLast(status)
      const why = Option.isSome(last) && last.value._tag === "Lost" ? last.value.why : Manager.shutDown
      if (!why.includes(Manager.shutDown)) return yield* failureOf(new Error(why))
    })
    return yield* Effect.provide(running, server)
  })

/** The port that `HOST:PORT` names. An address of IPv6 stands in brackets. */
const addressOf = (text: string): Effect.Effect<NodeManager.HostAddress, Failure> => {
  const [, ipv6, host = ipv6, port] = /^(?:\[(.+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  return host === undefined
    ? Effect.fail(wrongUsage(`--listen takes HOST:PORT, as 127.0.0.1:7000 or [::1]:7000, not ${text}`))
    : Effect.succeed({ host, port: Number(port) })
}

/** The certificates of the ports. */
const tlsOf = ({ cert, certKey, clientCa }: Options): Effect.Effect<NodeManager.ServerTls | undefined, Failure> =>
  Effect.gen(function*() {
    if (Option.isNone(cert) && Option.isNone(certKey) && Option.isNone(clientCa)) return undefined
    if (Option.isNone(cert) || Option.isNone(certKey)) {
      return yield* wrongUsage("TLS needs --cert FILE and --cert-key FILE")
    }
    return {
      cert: yield* textOf(cert.value),
      key: Redacted.make(yield* textOf(certKey.value)),
      clientCa: Option.isSome(clientCa) ? yield* textOf(clientCa.value) : undefined
    }
  })

/** The kinds that a module exports. */
const load = (module: string): Effect.Effect<ReadonlyArray<Kind.Known>, Failure> =>
  Effect.flatMap(
    Effect.tryPromise({
      try: (): Promise<{ readonly kinds?: unknown }> => import(pathToFileURL(resolve(module)).href),
      catch: (error) => failureOf(new Error(`cannot load the kinds of ${module}: ${String(error)}`))
    }),
    ({ kinds }) =>
      Array.isArray(kinds)
        ? Effect.succeed(kinds)
        : Effect.fail(wrongUsage(`${module} must export its kinds as an array: export const kinds = [...]`))
  )
