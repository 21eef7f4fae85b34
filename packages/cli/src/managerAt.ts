/** Where the manager of a command is, and its key. A key is never an argument, which all users can see. */
import { Manager, type ManagerError } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import { readFileSync, writeFileSync } from "node:fs"
import { type Failure, failureOf, wrongUsage } from "./failure.ts"

/** The options of every command that say where its manager is. */
export interface ManagerAt {
  /** The path of its Unix socket. */
  readonly socket: Option.Option<string>
  /** Its URL. Default, without a socket: the variable `EMP_URL`. */
  readonly url: Option.Option<string>
  /** The file with the authorities that are trusted. Default: the file that `EMP_CA` names, else Node's authorities. */
  readonly ca: Option.Option<string>
  /** The files with the certificate of `emp` and its private key. Default: those that `EMP_CERT` and `EMP_CERT_KEY` name. */
  readonly cert: Option.Option<string>
  readonly certKey: Option.Option<string>
  /** The file with its key. Default: the variable `EMP_KEY`, else the file that `EMP_KEY_FILE` names. */
  readonly keyFile: Option.Option<string>
}

/** A connection to the manager, for the life of the layer. `emp` is its name in `inspect`. */
export const layer = (at: ManagerAt): Layer.Layer<Manager.Manager, ManagerError.ManagerError | Failure> =>
  Layer.unwrap(Effect.map(endpointOf(at), (endpoint) => NodeManager.layerClient({ ...endpoint, name: "emp" })))

const endpointOf = (at: ManagerAt): Effect.Effect<Manager.Endpoint, Failure> =>
  Effect.gen(function*() {
    const given = Record.map(at, Option.getOrUndefined)
    if (given.socket !== undefined && given.url !== undefined) {
      return yield* wrongUsage("give --socket or --url, not both")
    }
    if (Option.isNone(yield* configured(NodeManager.configuredUrl(given)))) {
      return yield* wrongUsage("the manager is missing. Give --socket PATH or --url URL, or set EMP_URL")
    }
    yield* keyOf(at)
    return yield* configured(NodeManager.configuredEndpoint(given))
  })

/** What the environment says, and the options in its place. */
const configured = <A>(config: Config.Config<A>): Effect.Effect<A, Failure> =>
  Effect.mapError(config, ({ cause }) => failureOf(cause))

/** The text of a file. */
export const textOf = (file: string): Effect.Effect<string, Failure> =>
  Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: (error) => failureOf(new Error(`cannot read ${file}: ${(error as Error).message}`))
  })

/** The key of the manager. */
export const keyOf = ({ keyFile }: Pick<ManagerAt, "keyFile">): Effect.Effect<Manager.ManagerKey, Failure> =>
  Effect.flatMap(
    configured(NodeManager.configuredKey({ keyFile: Option.getOrUndefined(keyFile) })),
    Option.match({
      onNone: () =>
        wrongUsage("the key of the manager is missing. Give --key-file FILE, or set EMP_KEY_FILE or EMP_KEY"),
      onSome: Effect.succeed
    })
  )

/** The key in a file, if there is to be one. */
export const keyIn = (file: Option.Option<string>): Effect.Effect<Manager.ManagerKey | undefined, Failure> =>
  Option.isSome(file) ? keyOf({ keyFile: file }) : Effect.undefined

/** Makes a file with a new key that only this user can read, unless there is a file already. */
export const makeKeyFile = (file: string): Effect.Effect<void, Failure> =>
  Effect.flatMap(Effect.provide(Manager.orRandomKey(undefined), Manager.layerCrypto), (key) =>
    Effect.try({
      try: () => writeFileSync(file, `${Redacted.value(key)}\n`, { mode: 0o600, flag: "wx" }),
      catch: (error) => failureOf(new Error(`cannot make the key file ${file}: ${(error as Error).message}`))
    })).pipe(Effect.catchIf(({ message }) => message.includes("EEXIST"), () => Effect.void))
