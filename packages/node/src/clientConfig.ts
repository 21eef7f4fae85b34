/**
 * Where a manager is, from the configuration: what a program on another machine is given.
 */
import type { Manager } from "@effect-multiprocessing/core"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs"
import { urlOf } from "./address.ts"
import { reasonOf } from "./reason.ts"

const wrong = (message: string): Config.ConfigError =>
  new Config.ConfigError(new ConfigProvider.SourceError({ message }))

/** Reads an open file, so that what is checked is what is read. `label`: for messages. */
const inFile = <A>(label: string, path: string, use: (file: number) => A): Effect.Effect<A, Config.ConfigError> => {
  const attempt = <B>(action: () => B) =>
    Effect.try({ try: action, catch: (error) => wrong(`cannot read ${label}: ${reasonOf(error)}`) })
  return Effect.acquireUseRelease(
    attempt(() => openSync(path, "r")),
    (file) => attempt(() => use(file)),
    (file) => Effect.sync(() => closeSync(file))
  )
}

/** The bits of a file's mode for others than its owner. Windows has none. */
const othersMode = process.platform === "win32" ? 0 : 0o077

/**
 * Reads a manager's key from a file. White space around it does not count. Fails with `ConfigError` if the file cannot be
 * read, is empty, or is open to other users, who then know the key.
 */
export const keyFromFile = (path: string): Effect.Effect<Manager.ManagerKey, Config.ConfigError> =>
  Effect.gen(function*() {
    const { mode, text } = yield* inFile(`the key file ${path}`, path, (file) => ({
      mode: fstatSync(file).mode,
      text: readFileSync(file, "utf8").trim()
    }))
    if ((mode & othersMode) !== 0) {
      return yield* Effect.fail(
        wrong(
          `the key file ${path} is open to other users. Use a new key, and allow its owner alone: chmod 600 ${path}`
        )
      )
    }
    return text === "" ? yield* Effect.fail(wrong(`the key file ${path} is empty`)) : Redacted.make(text)
  })

/** What the options of a command line say, each in the place of its variables. */
export interface Given {
  /** The path of a Unix socket, in the place of a URL. */
  readonly socket?: string | undefined
  readonly url?: string | undefined
  /** Paths of files. */
  readonly keyFile?: string | undefined
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly certKey?: string | undefined
}

/** A text that is given, or else that of a variable. An empty one is none. */
const text = (variable: string, given?: string): Config.Config<Option.Option<string>> =>
  Config.map(
    given === undefined ? Config.option(Config.String(variable)) : Config.succeed(Option.some(given)),
    Option.filter((text) => text !== "")
  )

/** The text of a file that is given, or else of the one that a variable names. */
const fileText = (variable: string, given?: string): Config.Config<string | undefined> =>
  Config.mapEffect(text(variable, given), (path) =>
    Option.isNone(path)
      ? Effect.undefined
      : inFile(given ?? `${variable} ${path.value}`, path.value, (file) => readFileSync(file, "utf8")))

/** The URL of the manager, if there is one: `EMP_URL`. */
export const configuredUrl = ({ socket, url }: Given = {}): Config.Config<Option.Option<string>> =>
  text("EMP_URL", socket === undefined ? url : urlOf({ path: socket }))

/** The key of the manager, if there is one: `EMP_KEY`, or that in the file that `EMP_KEY_FILE` names. */
export const configuredKey = ({ keyFile }: Given = {}): Config.Config<Option.Option<Manager.ManagerKey>> =>
  Config.all({
    key: keyFile === undefined ? text("EMP_KEY") : Config.succeed(Option.none()),
    file: text("EMP_KEY_FILE", keyFile)
  })
    .pipe(Config.mapEffect(({ file, key }) =>
      Option.isSome(key)
        ? Effect.succeed(Option.map(key, Redacted.make))
        : Option.isSome(file)
        ? Effect.asSome(keyFromFile(file.value))
        : Effect.succeedNone
    ))

const orMissing = <A>(self: Config.Config<Option.Option<A>>, issue: string): Config.Config<A> =>
  Config.mapEffect(self, (found) => Option.isSome(found) ? Effect.succeed(found.value) : Effect.fail(wrong(issue)))

const tls = ({ ca, cert, certKey, socket }: Given): Config.Config<Manager.ClientTls | undefined> =>
  socket !== undefined ? Config.succeed(undefined) : Config.all({
    ca: fileText("EMP_CA", ca),
    cert: fileText("EMP_CERT", cert),
    key: fileText("EMP_CERT_KEY", certKey)
  }).pipe(Config.mapEffect(({ ca, cert, key }) =>
    (cert === undefined) !== (key === undefined)
      ? Effect.fail(
        wrong("a certificate of the client needs its private key, and the reverse: EMP_CERT and EMP_CERT_KEY")
      )
      : Effect.succeed(
        ca === undefined && cert === undefined
          ? undefined
          : { ca, cert, key: key === undefined ? key : Redacted.make(key) }
      )
  ))

const reconnect = Config.all({
  grace: Config.option(Config.Duration("EMP_GRACE")),
  maxStall: Config.option(Config.Duration("EMP_MAX_STALL"))
}).pipe(Config.mapEffect(({ grace, maxStall }) =>
  Option.isSome(grace)
    ? Effect.succeed({ grace: grace.value, maxStall: Option.getOrUndefined(maxStall) })
    : Option.isSome(maxStall)
    ? Effect.fail(wrong("EMP_MAX_STALL is the time of a session with a grace. Set EMP_GRACE, too"))
    : Effect.undefined
))

/**
 * The endpoint of a client, from the configuration (`layerClientConfig` has the variables). Fails with `ConfigError` also if
 * a file cannot be used.
 */
export const configuredEndpoint = (given: Given = {}): Config.Config<Manager.UrlEndpoint> =>
  Config.all({
    url: orMissing(configuredUrl(given), "the URL of the manager is missing. Set EMP_URL"),
    key: orMissing(configuredKey(given), "the key of the manager is missing. Set EMP_KEY_FILE or EMP_KEY"),
    tls: tls(given),
    reconnect
  })
