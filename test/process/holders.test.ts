import { holders } from "./suites/holders.ts"
import { system } from "./system.ts"

holders(system)
