/** Managers at ports of TCP, with and without TLS: who gets in, and what strangers can do. */
import { Manager, Process, SharedRef } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Redacted, Schema, Scope, Stream } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import * as Net from "node:net"
import { hostname, networkInterfaces, tmpdir } from "node:os"
import { join } from "node:path"
import * as Tls from "node:tls"
import { budget } from "../support/budget.ts"
import { makeCertificate } from "../support/certificates.ts"
import * as Tasks from "./fixtures/tasks.ts"
import { fixture, waitUntil } from "./harness.ts"

const key = Redacted.make("abracadabra")
const authority = makeCertificate({ name: "the authority of the tests" })
const stranger = makeCertificate({ name: "another authority" })
const local = ["localhost", "127.0.0.1"]
const own = makeCertificate({ name: "server", hosts: local, issuer: authority })
const trusting = { ca: authority.cert }
/** Of strangers that are many. */
const unauthenticatedMax = 100
const loopback = { host: "127.0.0.1", port: 0 }

const tlsOf = ({ cert, key }: { readonly cert: string; readonly key: string }) => ({ cert, key: Redacted.make(key) })

/** Starts a manager at ports. Returns it, and its URLs. */
const serve = (options: NodeManager.ServerOptions = {}) =>
  Effect.gen(function*() {
    const context = yield* Layer.build(Layer.fresh(NodeManager.layerServer({ key, address: loopback, ...options })))
    const manager = Context.get(context, Manager.Manager)
    const urls = manager.endpoint!.urls!
    return { manager, urls, url: urls[0]!, port: Number(new URL(urls[0]!).port) }
  })

type Client = Omit<Manager.UrlEndpoint, "key"> & { readonly key?: Manager.ManagerKey; readonly name?: string }

/** A manager as a client sees it. */
const connect = (client: Client) =>
  Effect.map(
    Layer.build(Layer.fresh(NodeManager.layerClient({ key, ...client }))),
    (context) => Context.get(context, Manager.Manager)
  )

/** Why a client does not get in. */
const refusal = (client: Client) => Effect.map(Effect.flip(Effect.scoped(connect(client))), ({ reason }) => reason)

/** Why a manager does not start. */
const startIssue = (options: NodeManager.ServerOptions) =>
  Effect.map(Effect.flip(Effect.scoped(serve(options))), ({ reason }) => {
    assert.strictEqual(reason._tag, "StartFailed")
    return reason.message
  })

const count = (manager: Manager.Manager["Service"]) =>
  SharedRef.make({ name: "count", schema: Schema.Int, initial: 0 }).pipe(
    Effect.flatMap((ref) => ref.increment),
    Effect.provideService(Manager.Manager, manager),
    Effect.scoped
  )

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "emp-network-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

/** A socket of a stranger that sends these bytes, and whether the other side has closed it. */
const dial = (port: number, bytes: string | Uint8Array = "") =>
  Effect.acquireRelease(
    Effect.sync(() => {
      let closed = false
      const socket = Net.connect(port, "127.0.0.1", () => socket.write(bytes)).on("error", () => {}).resume()
      socket.on("close", () => closed = true)
      return { socket, closed: () => closed }
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"))

describe("a manager at several addresses", () => {
  it.live("is one manager at each, with the ports that it got", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "a socket")
      const hosts = [loopback, { host: "localhost", port: 0 }, ...hasIpv6 ? [{ host: "::1", port: 0 }] : []]
      const { manager, urls } = yield* serve({ address: [{ path }, ...hosts] })
      assert.strictEqual(manager.endpoint!.path, path)
      assert.match(urls.join(" "), /^unix:\/\/\/\S+a%20socket emp:\/\/127\.0\.0\.1:[1-9]\d+ emp:\/\/localhost:[1-9]\d+/)
      if (hasIpv6) assert.match(urls[3]!, /^emp:\/\/\[::1\]:[1-9]\d+$/)
      const counts = yield* Effect.forEach(urls, (url) => Effect.flatMap(connect({ url }), count))
      assert.deepStrictEqual(counts, urls.map((_, i) => i + 1))
    }))

  it.live("tells the clients of each that it ends", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { urls } = yield* Scope.provide(serve({ address: [loopback, loopback] }), scope)
      const clients = yield* Effect.forEach(urls, (url) => connect({ url }))
      yield* Scope.close(scope, Exit.void)
      for (const client of clients) {
        assert.include((yield* Effect.flip(client.counts)).message, "the manager was shut down")
      }
    }))

  it.live("leaves its port to the next manager, with its own objects, as soon as it ends (SEED-48)", () =>
    Effect.gen(function*() {
      let port = 0
      for (let round = 0; round < 3; round++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const manager = yield* serve({ address: { ...loopback, port } })
          port = manager.port
          assert.strictEqual(yield* count(yield* connect({ url: manager.url })), 1)
        }))
      }
    }))

  it.live("shows the host of each client at a port", () =>
    Effect.gen(function*() {
      const { manager, url } = yield* serve()
      yield* connect({ url, name: "display" })
      const names = yield* Stream.runCollect(Stream.map(manager.sessions, ({ name }) => name))
      assert.deepStrictEqual([...names], ["main", `display@${hostname()}`])
    }))

  it.live("hands out the host and the port that it is told, and is reached by its workers nevertheless (SEED-42)", () =>
    Effect.gen(function*() {
      let path = ""
      const proxy = yield* listening(Net.createServer((near) => {
        const far = Net.connect(path)
        near.pipe(far).on("error", () => {}).pipe(near).on("error", () => {})
      }))
      const { manager: own, url } = yield* serve({ advertise: { host: "localhost", port: proxy } })
      path = own.endpoint!.path!
      assert.strictEqual(url, `emp://localhost:${proxy}`)
      assert.strictEqual(yield* count(yield* connect({ url })), 1)
      assert.strictEqual(yield* count(own), 2)
      const { urls } = yield* serve({ address: [loopback, loopback], advertise: { host: "build-7.example" } })
      for (const url of urls) assert.match(url, /^emp:\/\/build-7\.example:[1-9]\d+$/)
      const spawner = Layer.provideMerge(NodeManager.layerSpawner(fixture("worker")), NodeServices.layer)
      const layer = NodeManager.layerServer({ key, address: loopback, advertise: { host: "unreachable.invalid" } })
      const squared = Process.run(Tasks.Tasks, Tasks.Square, { n: 7 }).pipe(
        Effect.provide(Layer.merge(layer, spawner))
      )
      assert.strictEqual(yield* squared, 49)
    }))

  it.live("is reached by the workers of a client with its URL, key and certificates", () =>
    Effect.gen(function*() {
      const { url } = yield* serve({ tls: { ...tlsOf(own), clientCa: authority.cert } })
      const client = makeCertificate({ name: "client", issuer: authority })
      const manager = NodeManager.layerClient({ url, key, tls: { ...trusting, ...tlsOf(client) } })
      const spawner = Layer.provideMerge(NodeManager.layerSpawner(fixture("worker")), NodeServices.layer)
      const squared = Process.run(Tasks.Tasks, Tasks.Square, { n: 7 }).pipe(
        Effect.provide(Layer.provideMerge(Tasks.Log.layer, Layer.merge(manager, spawner)))
      )
      assert.strictEqual(yield* squared, 49)
    }))
})

describe("no manager starts", () => {
  const never = (name: string, options: NodeManager.ServerOptions, issue: RegExp) =>
    it.live(name, () => Effect.map(startIssue(options), (message) => assert.match(message, issue)))

  never("at a port that is no port", { address: { host: "127.0.0.1", port: 65_536 } }, /from 0 to 65535, it is 65536/)
  never("at an empty host", { address: { host: "", port: 0 } }, /the host is empty/)
  never("at an unknown host", { address: { host: "nowhere.invalid", port: 0 }, allowUnencrypted: true }, /host name/)
  never("beyond loopback without TLS", { address: { host: "0.0.0.0", port: 0 } }, /0\.0\.0\.0 is not loopback.*`tls`/)
  never("with a certificate that is none", { tls: { ...tlsOf(own), cert: "no" } }, /its `tls` cannot be used: .+/)
  never("with the key of another certificate", { tls: { ...tlsOf(own), key: Redacted.make(stranger.key) } }, /mismatch/)

  never("that advertises no host", { advertise: { host: "a/b" } }, /advertise\.host is neither a host name/)
  never("that advertises an empty host", { advertise: { host: "" } }, /advertise\.host is neither a host name/)
  never("that advertises no port", { advertise: { port: 0 } }, /from 1 to 65535, it is 0/)
  never("that advertises one port for two", { address: [loopback, loopback], advertise: { port: 1 } }, /listens at 2/)
  never("that advertises, and listens at no port", { address: [], advertise: { host: "a" } }, /listens at no port/)

  it.live("at a port that is in use, and the manager there goes on", () =>
    Effect.gen(function*() {
      const { manager, port } = yield* serve()
      assert.match(yield* startIssue({ address: { host: "127.0.0.1", port } }), /EADDRINUSE/)
      assert.strictEqual(yield* count(manager), 1)
    }))

  it.live("but beyond loopback without TLS where that is allowed", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ address: { host: "0.0.0.0", port: 0 }, allowUnencrypted: true })
      assert.strictEqual(yield* count(yield* connect({ url: `emp://127.0.0.1:${port}` })), 1)
    }))
})

describe("a client is not connected", () => {
  const never = (url: string, issue: RegExp) =>
    it.live(`to ${url}`, () =>
      Effect.map(refusal({ url }), ({ _tag, message }) => {
        assert.strictEqual(_tag, "ConnectFailed")
        assert.match(message, issue)
        assert.notInclude(message, "secret")
      }))

  never("somewhere", /it is not a URL/)
  never("emp://secret@localhost:1", /a URL has no key/)
  never("emp://:secret@localhost:1", /a URL has no key/)
  never("emps://localhost:1?key=secret", /a URL has no key/)
  never("emps://localhost:1#secret", /a URL has no key/)
  never("unix:///run/manager?key=secret", /a URL has no key/)
  never("http://localhost:1", /its scheme is unknown/)
  never("emp://localhost", /needs a host and a port/)
  never("emp://localhost:0", /needs a host and a port/)
  never("emp://localhost:1/secret", /it has a path/)
  never("unix://host/run/manager", /an absolute path and no host/)
  never("emp://192.0.2.1:7400", /192\.0\.2\.1 is not loopback.*emps/)
  never("emps://nowhere.invalid:7400", /host name/)

  it.live("to emp:// with `tls`", () =>
    Effect.map(
      refusal({ url: "emp://localhost:1", tls: trusting }),
      ({ message }) => assert.match(message, /`tls` is given. Use emps/)
    ))

  it.live("with `tls` that cannot be used", () =>
    Effect.map(
      refusal({ url: "emps://localhost:1", tls: { cert: "no" } }),
      ({ message }) => assert.match(message, /`tls` cannot be used/)
    ))
})

/** Managers that strangers meet: without TLS, and with it. */
const deployments: ReadonlyArray<readonly [string, NodeManager.ServerOptions, Partial<Client>]> = [
  ["without TLS", {}, {}],
  ["with TLS", { tls: tlsOf(own) }, { tls: trusting }]
]

for (const [name, options, client] of deployments) {
  describe(`strangers of a manager at a port ${name}`, () => {
    /** What strangers do; a client that was there before them goes on, and another one is let in after them. */
    const undisturbed = (
      text: string,
      strangers: (port: number) => Effect.Effect<unknown, never, Scope.Scope>,
      limits?: NodeManager.ServerOptions["limits"]
    ) =>
      it.live(text, () =>
        Effect.gen(function*() {
          const { port, url } = yield* serve({ ...options, limits })
          const before = yield* connect({ url, ...client })
          assert.strictEqual(yield* count(before), 1)
          yield* Effect.scoped(Effect.andThen(strangers(port), count(before)))
          assert.strictEqual(yield* count(yield* connect({ url, ...client })), 3)
          assert.strictEqual((yield* before.counts).sessions, 3)
        }))

    const closed = (port: number, bytes: string | Uint8Array) =>
      Effect.flatMap(dial(port, bytes), ({ closed }) => waitUntil("the stranger's connection is closed", closed))

    undisturbed("send a request of HTTP", (port) => closed(port, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    undisturbed("send a record that is too large", (port) => closed(port, new Uint8Array(100_000).fill(0x7f)))
    undisturbed(
      "are silent: they are closed after handshakeMs",
      (port) => closed(port, ""),
      { handshakeMs: 2_000 }
    )
    undisturbed(
      "are silent and many: only unauthenticatedMax stay",
      (port) =>
        Effect.gen(function*() {
          const all = yield* Effect.forEach(Array.from({ length: 40 }), () => dial(port))
          yield* waitUntil("the others are closed", () => all.filter(({ closed }) => closed()).length >= 30)
          assert.strictEqual(all.filter(({ closed }) => !closed()).length, 10)
        }),
      { unauthenticatedMax: 10, handshakeMs: 600_000 }
    )

    undisturbed(`are silent, and ${budget(625)}`, (port) =>
      Effect.gen(function*() {
        const all: Array<Effect.Success<ReturnType<typeof dial>>> = []
        // Not all at once: the system itself would lose some, and tell neither side.
        while (all.length < budget(625)) {
          for (let i = 0; i < 500; i++) all.push(yield* dial(port))
          yield* waitUntil("they are connected", () => !all.some(({ socket }) => socket.connecting))
        }
        const kept = () => all.filter(({ closed }) => !closed()).length
        yield* waitUntil("all but the most that wait are closed", () => kept() <= unauthenticatedMax)
      }), { unauthenticatedMax })

    it.live("have the wrong key", () =>
      Effect.gen(function*() {
        const { url } = yield* serve(options)
        const reason = yield* refusal({ url, ...client, key: Redacted.make("open sesame") })
        assert.strictEqual(reason._tag === "HandshakeRefused" && reason.why, "WrongKey")
        assert.strictEqual(yield* count(yield* connect({ url, ...client })), 1)
      }))
  })
}

it.live("a client whose key is for names has workers", () =>
  Effect.gen(function*() {
    const workers = Redacted.make("the key of the workers")
    const { url } = yield* serve({ keys: { client: [{ key: workers, names: ["test/"] }] } })
    const manager = NodeManager.layerClient({ url, key: workers })
    const spawner = Layer.provideMerge(NodeManager.layerSpawner(fixture("worker")), NodeServices.layer)
    const squared = Process.run(Tasks.Tasks, Tasks.Square, { n: 7 }).pipe(
      Effect.provide(Layer.merge(manager, spawner))
    )
    assert.strictEqual(yield* squared, 49)
  }))

describe("TLS", () => {
  const meets = (
    text: string,
    cert: { readonly cert: string; readonly key: string },
    client: Partial<Client>,
    issue: RegExp
  ) =>
    it.live(`a client that meets ${text} does not connect`, () =>
      Effect.gen(function*() {
        const { manager, url } = yield* serve({ tls: tlsOf(cert) })
        const reason = yield* refusal({ url, ...client })
        assert.strictEqual(reason._tag, "ConnectFailed")
        assert.match(reason.message, issue)
        assert.strictEqual(yield* count(manager), 1)
      }))

  const notAfter = new Date("2021-01-01")
  meets("a certificate of an unknown authority", own, {}, /no authority that this client trusts/)
  meets(
    "a certificate of another authority",
    own,
    { tls: { ca: stranger.cert } },
    /no authority that this client trusts/
  )
  meets(
    "a certificate for another host",
    makeCertificate({ name: "other", hosts: ["other.example"], issuer: authority }),
    { tls: trusting },
    /is not for this host/
  )
  meets(
    "an expired certificate",
    makeCertificate({ name: "old", hosts: local, issuer: authority, notAfter }),
    { tls: trusting },
    /its certificate has expired/
  )

  it.live("a client may expect another host name than that of the URL", () =>
    Effect.gen(function*() {
      const other = makeCertificate({ name: "other", hosts: ["other.example"], issuer: authority })
      const { url } = yield* serve({ tls: tlsOf(other) })
      assert.strictEqual(yield* count(yield* connect({ url, tls: { ...trusting, servername: "other.example" } })), 1)
    }))

  it.live("the certificate of a client may give it a lesser role than its key does, and none without a name there", () =>
    Effect.gen(function*() {
      const clientRoles = { operator: "owner", worker: "client", display: "observer" } as const
      const observer = Redacted.make("the key of the observers")
      const { manager, url } = yield* serve({
        keys: { observer },
        tls: { ...tlsOf(own), clientCa: authority.cert, clientRoles }
      })
      const tls = (name: string) => ({ ...trusting, ...tlsOf(makeCertificate({ name, issuer: authority })) })
      const role = (name: string, other?: Manager.ManagerKey) =>
        Effect.map(connect({ url, tls: tls(name), key: other ?? key }), ({ role }) => role)
      assert.strictEqual(yield* role("operator"), "owner")
      assert.strictEqual(yield* role("worker"), "client")
      assert.strictEqual(yield* role("display"), "observer")
      assert.strictEqual(yield* role("operator", observer), "observer")
      for (const name of ["stranger", "__proto__", "toString"]) {
        const reason = yield* refusal({ url, tls: tls(name) })
        assert.strictEqual(reason._tag === "HandshakeRefused" && reason.why, "NoRole")
        assert.include(reason.message, "the certificate of this client has no role there")
      }
      assert.strictEqual(yield* count(manager), 1)
    }))

  it.live("roles of certificates need an authority, and are roles", () =>
    Effect.gen(function*() {
      const tls = { ...tlsOf(own), clientRoles: { worker: "client" } } as const
      assert.match(yield* startIssue({ tls }), /tls\.clientRoles needs tls\.clientCa/)
      // oxlint-disable-next-line typescript/no-explicit-any -- a program without types
      const clientRoles = { worker: "admin" as any }
      assert.match(
        yield* startIssue({ tls: { ...tls, clientCa: authority.cert, clientRoles } }),
        /gives worker no role/
      )
    }))

  it.live("a client without a certificate, or with one of a stranger, is not let in where one is required", () =>
    Effect.gen(function*() {
      const { manager, url } = yield* serve({ tls: { ...tlsOf(own), clientCa: authority.cert } })
      const foreign = makeCertificate({ name: "client", issuer: stranger })
      const expired = makeCertificate({ name: "client", issuer: authority, notAfter })
      for (const tls of [trusting, { ...trusting, ...tlsOf(foreign) }, { ...trusting, ...tlsOf(expired) }]) {
        assert.strictEqual((yield* refusal({ url, tls }))._tag, "ConnectFailed")
      }
      const known = makeCertificate({ name: "client", issuer: authority })
      assert.strictEqual(yield* count(yield* connect({ url, tls: { ...trusting, ...tlsOf(known) } })), 1)
      assert.strictEqual((yield* manager.counts).sessions, 2)
    }))

  it.live("a client without TLS at a port with TLS, and the reverse, do not connect", () =>
    Effect.gen(function*() {
      const withTls = yield* serve({ tls: tlsOf(own), limits: { handshakeMs: 2_000 } })
      const plain = yield* refusal({ url: withTls.url.replace("emps:", "emp:") })
      assert.strictEqual(plain._tag, "ConnectFailed")
      const without = yield* serve()
      const reason = yield* refusal({ url: without.url.replace("emp:", "emps:"), tls: trusting })
      assert.match(reason.message, /it does not use TLS there/)
      for (const { manager } of [withTls, without]) assert.strictEqual(yield* count(manager), 1)
    }))

  it.live("a peer between a client and a manager, trusted by both, cannot pass the handshake on", () =>
    Effect.gen(function*() {
      const { manager, port } = yield* serve({ tls: tlsOf(own) })
      const passed: Array<string> = []
      const relay = Tls.createServer(makeCertificate({ name: "relay", hosts: local, issuer: authority }), (near) => {
        const far = Tls.connect({ port, host: "127.0.0.1", ...trusting })
        far.on("data", (bytes) => passed.push(bytes.toString()))
        near.pipe(far).on("error", () => {}).pipe(near).on("error", () => {})
      })
      const at = yield* listening(relay)
      const reason = yield* refusal({ url: `emps://localhost:${at}`, tls: trusting })
      assert.strictEqual(reason._tag === "HandshakeRefused" && reason.why, "WrongKey")
      assert.match(passed.join(""), /effect-multiprocessing.*WrongKey/s)
      assert.strictEqual((yield* manager.counts).sessions, 1)
    }))

  it.live("bytes that are passed on as they are connect a client: a proxy below TLS changes nothing", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ tls: tlsOf(own) })
      const at = yield* listening(Net.createServer((near) => {
        const far = Net.connect(port, "127.0.0.1")
        near.pipe(far).on("error", () => {}).pipe(near).on("error", () => {})
      }))
      assert.strictEqual(yield* count(yield* connect({ url: `emps://localhost:${at}`, tls: trusting })), 1)
    }))
})

/** The port at which a server listens, for the life of the scope. */
const listening = (server: Net.Server) =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () => Effect.sync(() => server.close())
  )
