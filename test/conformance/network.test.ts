/**
 * The suites at ports, with TLS and without: only the transport differs from that of a Unix socket.
 */
import { parse } from "#node/address.ts"
import * as Network from "#node/network.ts"
import { Manager } from "@effect-multiprocessing/core"
import type { JournalEntry } from "@effect-multiprocessing/core/testing"
import { NodeManager } from "@effect-multiprocessing/node"
import { Context, Effect, Layer, Redacted, Result } from "effect"
import { budget } from "../support/budget.ts"
import { makeCertificate } from "../support/certificates.ts"
import { ownKinds } from "../support/ownKinds.ts"
import { sampledConformance } from "./index.ts"

const key = Redacted.make("abracadabra")
const authority = makeCertificate({ name: "the authority of the tests" })
const own = makeCertificate({ name: "server", hosts: ["127.0.0.1"], issuer: authority })
const tls = { cert: own.cert, key: Redacted.make(own.key) }

const deployment = (name: string, server: NodeManager.ServerOptions, client: Pick<Manager.UrlEndpoint, "tls">) => {
  const serve = (options: NodeManager.ServerOptions) =>
    Effect.map(
      Layer.build(
        Layer.fresh(NodeManager.layerServer({ ...server, ...options, key, address: { host: "127.0.0.1", port: 0 } }))
      ),
      (context) => Context.get(context, Manager.Manager).endpoint!.urls![0]!
    )
  const layer = (options: NodeManager.ServerOptions) =>
    Layer.unwrap(Effect.map(serve(options), (url) => NodeManager.layerClient({ ...client, url, key })))

  sampledConformance({
    name,
    layer: layer({}),
    ownKinds: layer({ kinds: ownKinds }),
    programs: budget(3),
    recorded: Effect.gen(function*() {
      const journal: Array<JournalEntry> = []
      const url = yield* serve({ journal: (entry) => journal.push(entry) })
      const target = Result.getOrThrow(parse(url))
      if ("path" in target) return yield* Effect.die(url)
      return {
        connect: (listen) =>
          Effect.provide(
            Manager.makeConnected(Effect.map(Network.connect(target, client), listen), {
              address: url,
              key,
              label: { name: "recorded", pid: process.pid }
            }),
            Manager.layerCrypto
          ),
        journal: Effect.sync(() => journal)
      }
    })
  })
}

deployment("over TLS", { tls }, { tls: { ca: authority.cert } })
deployment("over TCP", {}, {})
