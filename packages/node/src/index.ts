// Written by scripts/barrel.mjs, do not edit.
export * as NodeLog from "./NodeLog.ts"
export * as NodeManager from "./NodeManager.ts"
export * as NodeProgress from "./NodeProgress.ts"
export * as NodeRealm from "./NodeRealm.ts"
