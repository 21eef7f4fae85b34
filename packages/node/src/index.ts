// Written by scripts/barrel.mjs, do not edit.
export * as NodeManager from "./NodeManager.ts"
