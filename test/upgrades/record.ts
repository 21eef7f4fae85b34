/**
 * Records logs of this release, which every later one must read: `npm run record-log`, in the commit that raises
 * `engineVersion`, or the version of a checkpoint or of a kind, before it is raised.
 *
 * - `engine-N`: a snapshot of random programs of half of the kinds, and the inputs of those of the others.
 * - `engine-N-handed-over`: the same, replaced by a snapshot.
 */
import { engineVersion } from "#core/engine/version.ts"
import { specimens } from "#core/testing/kinds/index.ts"
import { Ledger } from "#core/testing/Ledger.ts"
import * as NetLink from "#node/netLink.ts"
import { Manager } from "@effect-multiprocessing/core"
import { Recorder } from "@effect-multiprocessing/core/testing"
import { NodeManager } from "@effect-multiprocessing/node"
import { Effect } from "effect"
import { join } from "node:path"
import { performAll } from "../conformance/specimens.ts"
import { draw } from "../simulation/Plan.ts"
import { actionsOf } from "../simulation/workloads.ts"
import { keep, temporary } from "./recorded.ts"

/** Few, so that the file is small. */
const steps = 12

/** Performs a random program of each kind on a durable manager. */
const perform = (path: string, kinds: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { endpoint } = yield* Manager.Manager
    const { key, path: socket } = endpoint!
    const connect = (listen: Parameters<Parameters<typeof performAll>[2]["connect"]>[0]) =>
      Manager.makeConnected(Effect.map(NetLink.connect({ path: socket! }), listen), {
        address: socket!,
        key,
        label: { name: "recorded", pid: 1 },
        reconnect: { grace: "1 minute" }
      }).pipe(Effect.provide(Manager.layerCrypto))
    const recorderOf = (client: string) => new Recorder({ client, clock: "none", now: () => 0 })
    for (const kind of kinds) {
      const plan = draw(1, { actions: actionsOf(kind) })
      yield* performAll({ ...plan, steps: plan.steps.slice(0, steps) }, new Ledger(), { connect }, recorderOf)
    }
  }).pipe(Effect.provide(NodeManager.layerDurable({ path, survives: "process" })))

const main = Effect.gen(function*() {
  const path = join(yield* temporary, "log")
  const names = specimens.map(({ kind }) => kind.name)
  const half = names.length / 2
  yield* perform(path, names.slice(0, half))
  yield* NodeManager.handOver({ path })
  yield* perform(path, names.slice(half))
  yield* keep(`engine-${engineVersion}`, engineVersion, path)
  yield* NodeManager.handOver({ path })
  yield* keep(`engine-${engineVersion}-handed-over`, engineVersion, path)
}).pipe(Effect.scoped)

void Effect.runPromise(main)
