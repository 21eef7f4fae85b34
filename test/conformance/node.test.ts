import { Link, Manager } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { NodeCrypto, NodeSocket } from "@effect/platform-node"
import { Context, Effect, Layer } from "effect"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fixture } from "../process/harness.ts"
import { budget } from "../support/budget.ts"
import { ownKinds } from "../support/ownKinds.ts"
import { sampledConformance } from "./index.ts"
import type { Recorded } from "./suite.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "emp-conformance-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const recorded = Effect.gen(function*() {
  const path = join(yield* folder, "journal")
  const context = yield* Layer.build(NodeManager.layerWith({ journal: path }))
  const endpoint = Context.get(context, Manager.Manager).endpoint!
  const connect: Recorded["connect"] = (listen) =>
    Manager.makeConnected(
      NodeSocket.makeNet({ path: endpoint.path! }).pipe(Effect.flatMap(Link.fromSocket), Effect.map(listen)),
      { address: endpoint.path!, key: endpoint.key, label: { name: "recorded", pid: process.pid } }
    ).pipe(Effect.provide(Layer.provideMerge(NodeCrypto.layerMac, NodeCrypto.layerSecureRandom)))
  const journal = Effect.sync(() =>
    readFileSync(path, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))
  )
  return { connect, journal }
})

sampledConformance({
  name: "in a child process",
  layer: NodeManager.layer,
  ownKinds: NodeManager.layerWith({ kinds: ownKinds, entry: fixture("ownKinds") }),
  programs: budget(20),
  recorded
})
