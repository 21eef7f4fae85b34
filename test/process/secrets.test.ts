/** Keys, and the secrets of sessions, are nowhere but where they must be: with real processes, over a network. */
import { Manager, SharedQueue } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Redacted, References, Schema, Tracer } from "effect"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { allGone, descendants, fixture, startWith, waitUntil } from "./harness.ts"

const key = "abracadabra-of-the-owner"
const observer = "abracadabra-of-observers"

/** A network that shows what clients send through it, and that can cut them off. */
const openNetwork = (target: () => number) =>
  Effect.acquireRelease(
    Effect.callback<{ port: number; sent: () => string; cut: () => void; close: () => void }>((resume) => {
      const sockets = new Set<Net.Socket>()
      let sent = ""
      const cut = () => sockets.forEach((socket) => socket.destroy())
      const server = Net.createServer((near) => {
        const far = Net.connect(target(), "127.0.0.1")
        for (const socket of [near, far]) {
          sockets.add(socket)
          socket.on("error", () => {}).on("close", () => sockets.delete(socket))
        }
        near.on("data", (bytes) => sent += bytes.toString("latin1")).pipe(far).pipe(near)
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as Net.AddressInfo
        resume(Effect.succeed({ port, sent: () => sent, cut, close: () => server.close() }))
      })
    }),
    ({ close, cut }) => Effect.sync(() => (cut(), close()))
  )

it.live(
  "no key and no secret of a session is in an argument, an environment, a log, a span, a handle, an error, an " +
    "inspection, or the log of a manager",
  () =>
    Effect.gen(function*() {
      const folder = mkdtempSync(join(tmpdir(), "emp-secrets-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const shown: Array<string> = []
      const show = (value: unknown) => void shown.push(inspect(value, { depth: 20, showHidden: true }), String(value))
      const logger = Logger.make(({ cause, fiber, message }) => show([message, cause, fiber.id]))
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          shown.push(inspect(options, { depth: 20 }))
          return span
        }
      })
      const layer = NodeManager.layerDurable({
        path: join(folder, "state"),
        address: { host: "127.0.0.1", port: 0 },
        keys: { owner: Redacted.make(key), observer: Redacted.make(observer) }
      })
      const serving = yield* Layer.build(Layer.fresh(layer)).pipe(
        Effect.provide(Layer.merge(Logger.layer([logger]), Layer.succeed(Tracer.Tracer, tracer))),
        Effect.provideService(References.MinimumLogLevel, "All")
      )
      const manager = Context.get(serving, Manager.Manager)
      const network = yield* openNetwork(() => Number(new URL(manager.endpoint!.urls![0]!).port))
      const keyFile = join(folder, "key")
      writeFileSync(keyFile, `${key}\n`, { mode: 0o600 })
      const client = yield* startWith({
        env: {
          EMP_URL: `emp://127.0.0.1:${network.port}`,
          EMP_KEY_FILE: keyFile,
          EMP_GRACE: "1 minute"
        }
      }, fixture("secrets"))
      const secrets = () => [...network.sent().matchAll(/"secret":"([0-9a-f]{64})"/g)].map(([, secret]) => secret!)

      const family = yield* Effect.gen(function*() {
        const steps = yield* SharedQueue.make({ name: "steps", item: Schema.String })
        const orders = yield* SharedQueue.make({ name: "orders", item: Schema.String })
        const first = [yield* steps.take, yield* steps.take].toSorted()
        assert.deepStrictEqual(first, ["has a child", "told"])
        network.cut()
        // Those of the client and of its worker.
        yield* waitUntil("both sessions are resumed", () => new Set(secrets()).size === 2)
        yield* orders.offer("again")
        assert.strictEqual(yield* steps.take, "told")
        show(yield* manager.inspect)
        return descendants(client.pid)
      }).pipe(Effect.provideService(Manager.Manager, manager))

      const processes = [client.pid, ...family.map(({ pid }) => pid)]
      assert.isAtLeast(processes.length, 3, "the client, its worker, and the worker's child")
      if (process.platform === "linux") {
        for (const pid of processes) {
          for (const file of ["cmdline", "environ"]) shown.push(readFileSync(`/proc/${pid}/${file}`, "utf8"))
        }
      } else shown.push(...family.map(({ command }) => command))
      shown.push(
        client.output(),
        ...readdirSync(folder).map((name) => name === "key" ? "" : readFileSync(join(folder, name), "latin1"))
      )
      const all = shown.join("\n")
      // What is searched is there.
      for (const there of ["Ref.get", "WrongKey", "told", "refused", "EMP_KEY_FILE"]) assert.include(all, there)
      const found = [key, observer, "open sesame", ...secrets()].filter((secret) => all.includes(secret))
      assert.deepStrictEqual(found, [])
      client.process.kill("SIGKILL")
      yield* allGone(family)
    }).pipe(Effect.scoped)
)
