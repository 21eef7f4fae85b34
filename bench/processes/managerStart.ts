/** Ours: a manager in a process of its own, until this process is connected to it. */
import { NodeManager } from "@effect-multiprocessing/node"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Layer from "effect/Layer"
import { answer } from "../child.ts"
import { starts } from "./starts.ts"

NodeRuntime.runMain(answer(() => starts(Layer.build(NodeManager.layer))))
