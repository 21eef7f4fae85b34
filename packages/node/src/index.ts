// @barrel
export * as NodeManager from "./NodeManager.ts"
