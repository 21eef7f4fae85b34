/** Where the manager of a command is, and its key. A key is never an argument, which all users can see. */
import { Manager, type ManagerError } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
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
  /** The file with its key. Default: the variable `EMP_KEY`, else the file that `EMP_KEY_FILE` names. */
  readonly keyFile: Option.Option<string>
}

/** A connection to the manager, for the life of the layer. `emp` is its name in `inspect`. */
export const layer = (at: ManagerAt): Layer.Layer<Manager.Manager, ManagerError.ManagerError | Failure> =>
  Layer.unwrap(Effect.map(endpointOf(at), (endpoint) => NodeManager.layerClient({ ...endpoint, name: "emp" })))

const endpointOf = (at: ManagerAt): Effect.Effect<Manager.Endpoint, Failure> =>
  Effect.gen(function*() {
    const { EMP_CA, EMP_URL } = process.env
    if (Option.isSome(at.socket) && Option.isSome(at.url)) return yield* wrongUsage("give --socket or --url, not both")
    if (Option.isSome(at.socket)) return { path: at.socket.value, key: yield* keyOf(at) }
    const url = Option.getOrElse(at.url, () => EMP_URL)
    if (!url) return yield* wrongUsage("the manager is missing. Give --socket PATH or --url URL, or set EMP_URL")
    const ca = Option.getOrElse(at.ca, () => EMP_CA)
    return { url, key: yield* keyOf(at), tls: ca ? { ca: yield* textOf(ca) } : undefined }
  })

/** The text of a file. */
export const textOf = (file: string): Effect.Effect<string, Failure> =>
  Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: (error) => failureOf(new Error(`cannot read ${file}: ${(error as Error).message}`))
  })

/** The key of the manager. */
export const keyOf = ({ keyFile }: Pick<ManagerAt, "keyFile">): Effect.Effect<Manager.ManagerKey, Failure> =>
  Effect.suspend(() => {
    const { EMP_KEY, EMP_KEY_FILE } = process.env
    if (Option.isSome(keyFile)) return readKey(keyFile.value)
    if (EMP_KEY) return Effect.succeed(Redacted.make(EMP_KEY))
    if (EMP_KEY_FILE) return readKey(EMP_KEY_FILE)
    return Effect.fail(
      wrongUsage("the key of the manager is missing. Give --key-file FILE, or set EMP_KEY_FILE or EMP_KEY")
    )
  })

/** The key in a file, if there is to be one. */
export const keyIn = (file: Option.Option<string>): Effect.Effect<Manager.ManagerKey | undefined, Failure> =>
  Option.isSome(file) ? readKey(file.value) : Effect.undefined

/** Makes a file with a new key that only this user can read, unless there is a file already. */
export const makeKeyFile = (file: string): Effect.Effect<void, Failure> =>
  Effect.flatMap(Effect.provide(Manager.orRandomKey(undefined), Manager.layerCrypto), (key) =>
    Effect.try({
      try: () => writeFileSync(file, `${Redacted.value(key)}\n`, { mode: 0o600, flag: "wx" }),
      catch: (error) => failureOf(new Error(`cannot make the key file ${file}: ${(error as Error).message}`))
    })).pipe(Effect.catchIf(({ message }) => message.includes("EEXIST"), () => Effect.void))

const readKey = (file: string): Effect.Effect<Manager.ManagerKey, Failure> =>
  Effect.mapError(NodeManager.keyFromFile(file), ({ cause }) => failureOf(cause))
