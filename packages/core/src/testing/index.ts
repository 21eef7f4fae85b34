// @barrel
export * as Invariants from "../engine/Invariants.ts"
export * as StateHash from "../engine/StateHash.ts"
