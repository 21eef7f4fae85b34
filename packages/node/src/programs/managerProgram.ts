/** A manager of the built-in kinds: it loads no code of the user. */
import { Manager } from "@effect-multiprocessing/core"
import * as Instructions from "../instructions.ts"
import * as ManagerProgram from "../managerProgram.ts"

ManagerProgram.run(Instructions.receiveInManager(), Manager.makeStandardServer)
