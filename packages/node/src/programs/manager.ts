/** The program of a manager process. What it runs is a file of its own, because the compile cache must be on first. */
import * as CompileCache from "../compileCache.ts"

CompileCache.enable()
void import("./managerProgram.ts")
