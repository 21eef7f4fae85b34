/** A program without `runMain`: what starts a process or a manager says whether this Node is too old for it. */
import { Manager, Process, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Layer, Redacted, Schema } from "effect"

const Nothing = Task.make("Nothing", { success: Schema.Void })
const Tasks = TaskGroup.make("starts", { tasks: [Nothing] })

/** A manager in memory that pretends that other processes can reach it. */
const reachable = Layer.effect(
  Manager.Manager,
  Effect.map(Manager.Manager, (manager) => {
    const endpoint = { path: "/nowhere", key: Redacted.make("0".repeat(64)) }
    return Manager.Manager.of(Object.create(manager, { endpoint: { value: endpoint } }))
  })
).pipe(Layer.provide(Manager.layerMemory))

const spawner = NodeManager.layerSpawner(new URL(import.meta.url)).pipe(Layer.provide(NodeServices.layer))

const spawn = Process.spawn(Tasks, Nothing).pipe(Effect.provide(Layer.merge(reachable, spawner)))

const managers = [NodeManager.layer, NodeManager.layerServer()].map((layer) => Effect.asVoid(Layer.build(layer)))

const said = Effect.forEach(
  [...managers, Effect.asVoid(spawn)],
  (start) => Effect.match(Effect.scoped(start), { onFailure: ({ message }) => message, onSuccess: () => "started" })
)

Effect.runPromise(Effect.flatMap(said, Effect.forEach((text) => Console.log(text))))
