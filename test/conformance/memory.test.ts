import { Manager } from "@effect-multiprocessing/core"
import { conformance } from "./index.ts"

conformance({ name: "in memory", layer: Manager.layerMemory, programs: 1_000 })
