// Written by scripts/barrel.mjs, do not edit.
export * as NodeManager from "./NodeManager.ts"
export * as NodeProgress from "./NodeProgress.ts"
