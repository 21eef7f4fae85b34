/** Options with which there is no candidate for a realm, or no client: each says which one it is, and claims nothing. */
import { Log, type Manager, ManagerError } from "@effect-multiprocessing/core"
import { makeMemoryLog } from "@effect-multiprocessing/core/testing"
import { NodeRealm } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import * as Net from "node:net"

const realm = "realm"
const key = Redacted.make("the key of the realm")
const listen = { host: "127.0.0.1", port: 0 }

/** Why there is no manager. Fails if the realm was claimed. */
const refused = (layer: Layer.Layer<Manager.Manager, ManagerError.ManagerError, Log.Log>) =>
  Effect.gen(function*() {
    const log = makeMemoryLog()
    const built = Layer.build(Layer.provide(layer, Layer.succeed(Log.Log, log)))
    const { reason } = yield* Effect.flip(Effect.scoped(built))
    for (const name of [realm, ""]) assert.deepStrictEqual(yield* log.head(name), Option.none())
    return reason
  })

/** What a program without types gives. */
const untyped = (options: object): object => options

const connecting: ReadonlyArray<[string, Partial<NodeRealm.ConnectOptions>, RegExp]> = [
  ["an empty name of the realm", { realm: "" }, /the name of a realm must be a text/],
  ["no name of the realm", untyped({ realm: undefined }), /the name of a realm must be a text/],
  ["a name of the realm that UTF-8 has not", { realm: "\ud800" }, /the name of a realm must be a text/],
  ["a long name of the realm", { realm: "x".repeat(600) }, /the name of a realm must be a text/],
  ["an empty key", { key: Redacted.make("") }, /its key is empty/],
  ["a key that is shown in logs", untyped({ key: "a key" }), /Redacted/],
  ["no grace", { reconnect: { grace: 0 } }, /reconnect\.grace must be a time above 0, and not for ever/],
  ["a grace for ever", { reconnect: { grace: Infinity } }, /reconnect\.grace must be a time above 0, and not for ever/],
  ["no stall", { reconnect: { grace: "10 seconds", maxStall: 0 } }, /reconnect\.maxStall must be a time above 0/],
  ["a time to connect that is none", { connectTimeout: NaN }, /connectTimeout must be a time/]
]

const leading: ReadonlyArray<[string, Partial<NodeRealm.CandidateOptions>, RegExp]> = [
  ["no lease", { lease: 0 }, /its lease must be a time above 0, and not for ever/],
  ["a lease for ever", { lease: Infinity }, /its lease must be a time above 0, and not for ever/],
  ["a lease that is none", { lease: NaN }, /its lease must be a time above 0, and not for ever/],
  [
    "a grace of less than five leases",
    { lease: "2 seconds", reconnect: { grace: "9 seconds" } },
    /reconnect\.grace must be at least five leases, it is 9000 ms, and lease is 2000 ms/
  ],
  ["a lease of more than a fifth of the default grace", { lease: "3 seconds" }, /at least five leases, it is 10000 ms/],
  ["an empty host", { listen: { host: "", port: 0 } }, /the host is empty/],
  ["a port that is none", { listen: { ...listen, port: 65_536 } }, /a port is a whole number from 0 to 65535/],
  ["a port that others reach, without TLS", { listen: { host: "0.0.0.0", port: 0 } }, /without TLS .* Give `tls`/],
  ["certificates that are none", { tls: { server: { cert: "none", key } } }, /its `tls` cannot be used/],
  ["an advertised host that is none", { advertise: { host: "a b" } }, /advertise\.host is neither a host name/],
  ["an advertised port that is none", { advertise: { port: 0 } }, /a port is a whole number from 1 to 65535/],
  ["an advertised port that is too large", { advertise: { port: 70_000 } }, /a port is a whole number from 1 to 65535/],
  ["a limit that is none", { limits: { frameBytesMax: 0 } }, /limits\.frameBytesMax must be a whole number/],
  ["one key for two roles", { keys: { client: key } }, /two of its keys are the same/]
]

describe("no candidate starts with", () => {
  it.effect.each([...connecting, ...leading])("%s", ([, options, issue]) =>
    Effect.gen(function*() {
      const reason = yield* refused(NodeRealm.layer({ realm, key, listen, ...options }))
      assert.instanceOf(reason, ManagerError.StartFailed)
      assert.match(reason.message, issue)
    }))

  it.live("a port of another process", () =>
    Effect.gen(function*() {
      const other = Net.createServer()
      const port = yield* Effect.acquireRelease(
        Effect.callback<number>((resume) => {
          other.listen(0, listen.host, () => resume(Effect.succeed((other.address() as Net.AddressInfo).port)))
        }),
        () => Effect.sync(() => other.close())
      )
      const reason = yield* refused(NodeRealm.layer({ realm, key, listen: { ...listen, port } }))
      assert.instanceOf(reason, ManagerError.StartFailed)
      assert.match(reason.message, /EADDRINUSE/)
    }))
})

describe("no client connects with", () => {
  it.effect.each(connecting)("%s", ([, options, issue]) =>
    Effect.gen(function*() {
      const reason = yield* refused(NodeRealm.layerClient({ realm, key, ...options }))
      assert.instanceOf(reason, ManagerError.ConnectFailed)
      assert.match(reason.message, issue)
    }))
})
