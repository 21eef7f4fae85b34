/** A client's configuration: the URL, the key and the authority of a manager, from variables and files. */
import { Manager } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Redacted, type Scope } from "effect"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeCertificate } from "../support/certificates.ts"

const authority = makeCertificate({ name: "the authority of the tests" })
const own = makeCertificate({ name: "server", hosts: ["127.0.0.1"], issuer: authority })
const secret = "abracadabra"

/** Makes a file with a mode, and returns its path. */
const makeFile = (text: string, mode = 0o600) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "emp-config-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    ),
    (folder) => {
      const path = join(folder, "file")
      writeFileSync(path, text)
      chmodSync(path, mode)
      return path
    }
  )

/** A manager with TLS, and its URL. */
const serveWith = (tls: Partial<NodeManager.ServerTls>) =>
  Effect.map(
    Layer.build(Layer.fresh(NodeManager.layerServer({
      key: Redacted.make(secret),
      address: { host: "127.0.0.1", port: 0 },
      tls: { cert: own.cert, key: Redacted.make(own.key), ...tls }
    }))),
    (context) => Context.get(context, Manager.Manager).endpoint!.urls![0]!
  )

const serve = serveWith({})

/** What a client of this configuration sees of its manager. */
const look = <A, E>(
  variables: Record<string, string>,
  use: (manager: Manager.Manager["Service"]) => Effect.Effect<A, E>
) =>
  Effect.gen(function*() {
    const context = yield* Layer.build(Layer.fresh(NodeManager.layerClientConfig))
    return yield* use(Context.get(context, Manager.Manager))
  }).pipe(Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(variables)), Effect.scoped)

/** Sessions that a client of this configuration counts. */
const sessions = (variables: Record<string, string>) =>
  look(variables, ({ counts }) => Effect.map(counts, ({ sessions }) => sessions))

describe("layerClientConfig", () => {
  it.live("connects to EMP_URL with the key of EMP_KEY_FILE and the authorities of EMP_CA", () =>
    Effect.gen(function*() {
      const EMP_URL = yield* serve
      const EMP_CA = yield* makeFile(authority.cert, 0o644)
      assert.strictEqual(yield* sessions({ EMP_URL, EMP_CA, EMP_KEY_FILE: yield* makeFile(`${secret}\n`) }), 2)
    }))

  it.live("prefers EMP_KEY, so that a file can be the default", () =>
    Effect.gen(function*() {
      const EMP_URL = yield* serve
      const EMP_CA = yield* makeFile(authority.cert)
      assert.strictEqual(yield* sessions({ EMP_URL, EMP_CA, EMP_KEY: secret, EMP_KEY_FILE: "/nowhere" }), 2)
    }))

  it.live("shows the certificate of EMP_CERT to a manager that requires one", () =>
    Effect.gen(function*() {
      const EMP_URL = yield* serveWith({ clientCa: authority.cert })
      const EMP_CA = yield* makeFile(authority.cert)
      const client = makeCertificate({ name: "client", issuer: authority })
      const [EMP_CERT, EMP_CERT_KEY] = [yield* makeFile(client.cert), yield* makeFile(client.key)]
      const variables = { EMP_URL, EMP_CA, EMP_KEY: secret }
      assert.strictEqual(yield* sessions({ ...variables, EMP_CERT, EMP_CERT_KEY }), 2)
      const { _tag, message } = yield* Effect.flip(sessions(variables))
      assert.strictEqual(_tag, "ManagerError")
      assert.include(message, "certificate")
    }))

  it.live("has the grace of EMP_GRACE and the time of EMP_MAX_STALL", () =>
    Effect.gen(function*() {
      const EMP_URL = yield* serve
      const variables = { EMP_URL, EMP_CA: yield* makeFile(authority.cert), EMP_KEY: secret }
      const times = (more: Record<string, string>) =>
        look({ ...variables, ...more }, ({ connection: { agreement } }) =>
          Effect.succeed([agreement.graceMs, agreement.heartbeatMs]))
      assert.deepStrictEqual(yield* times({}), [0, 0])
      assert.deepStrictEqual(yield* times({ EMP_GRACE: "8 seconds" }), [8_000, 2_000])
      assert.deepStrictEqual(yield* times({ EMP_GRACE: "8 seconds", EMP_MAX_STALL: "400 millis" }), [8_000, 100])
    }))

  const refused = (name: string, variables: Effect.Effect<Record<string, string>, never, Scope.Scope>, issue: RegExp) =>
    it.live(`fails ${name}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(sessions({ EMP_URL: "emp://localhost:1", ...yield* variables }))
        assert.strictEqual(error._tag, "ConfigError")
        assert.match(error.message, issue)
        assert.notInclude(error.message, secret)
      }))

  const withKeyFile = (text: string, mode?: number) =>
    Effect.map(makeFile(text, mode), (EMP_KEY_FILE) => ({ EMP_KEY_FILE }))

  refused("without a key", Effect.succeed({}), /Set EMP_KEY_FILE or EMP_KEY/)
  refused("without a URL", Effect.succeed({ EMP_URL: "", EMP_KEY: secret }), /EMP_URL/)
  for (const mode of [0o644, 0o640, 0o620]) {
    refused(`with a key file of mode ${mode.toString(8)}`, withKeyFile(secret, mode), /open to other users.*chmod 600/)
  }
  refused("with an empty key file", withKeyFile(" \n"), /is empty/)
  refused("with a key file that is not there", Effect.succeed({ EMP_KEY_FILE: "/nowhere/key" }), /key file.*ENOENT/)
  refused("with a key file that is a folder", Effect.succeed({ EMP_KEY_FILE: tmpdir() }), /key file.*EISDIR/)
  refused("with a grace that is no time", Effect.succeed({ EMP_KEY: secret, EMP_GRACE: "soon" }), /EMP_GRACE/)
  refused("with a stall and no grace", Effect.succeed({ EMP_KEY: secret, EMP_MAX_STALL: "1 second" }), /Set EMP_GRACE/)
  refused(
    "with a certificate and no private key",
    Effect.map(makeFile(own.cert), (EMP_CERT) => ({ EMP_KEY: secret, EMP_CERT })),
    /needs its private key/
  )
  refused(
    "with authorities that are not there",
    Effect.succeed({ EMP_KEY: secret, EMP_CA: "/nowhere" }),
    /EMP_CA.*ENOENT/
  )
})
