import { NodeManager } from "@effect-multiprocessing/node"
import { conformance } from "./index.ts"

conformance("in a child process", NodeManager.layer)
