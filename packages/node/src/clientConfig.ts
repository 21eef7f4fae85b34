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
import { reasonOf } from "./reason.ts"

const wrong = (message: string): Config.ConfigError =>
  new Config.ConfigError(new ConfigProvider.SourceError({ message }))

/** Reads an open file, so that what is checked is what is read. */
const inFile = <A>(what: string, path: string, use: (file: number) => A): Effect.Effect<A, Config.ConfigError> => {
  const attempt = <B>(action: () => B) =>
    Effect.try({ try: action, catch: (error) => wrong(`cannot read ${what} ${path}: ${reasonOf(error)}`) })
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
    const { mode, text } = yield* inFile("the key file", path, (file) => ({
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

const key = Config.all({
  key: Config.option(Config.Redacted("EMP_KEY")),
  file: Config.option(Config.NonEmptyString("EMP_KEY_FILE"))
}).pipe(Config.mapEffect(({ file, key }) =>
  Option.isSome(key)
    ? Effect.succeed(key.value)
    : Option.isSome(file)
    ? keyFromFile(file.value)
    : Effect.fail(wrong("the key of the manager is missing. Set EMP_KEY_FILE or EMP_KEY"))
))

const tls = Config.option(Config.NonEmptyString("EMP_CA")).pipe(Config.mapEffect((path) =>
  Option.isNone(path)
    ? Effect.undefined
    : Effect.map(inFile("EMP_CA", path.value, (file) => readFileSync(file, "utf8")), (ca) => ({ ca }))
))

/** The endpoint of `layerClientConfig`. */
export const clientConfig: Config.Config<Manager.UrlEndpoint> = Config.all({
  url: Config.NonEmptyString("EMP_URL"),
  key,
  tls
})
