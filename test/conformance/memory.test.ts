import { Manager } from "@effect-multiprocessing/core"
import { conformance } from "./index.ts"

conformance("in memory", Manager.layerMemory)
