import { NodeManager } from "@effect-multiprocessing/node"
import { conformance } from "./index.ts"

conformance({ name: "in a child process", layer: NodeManager.layer, programs: 200 })
