// Written by scripts/barrel.mjs, do not edit.
export * as PostgresLog from "./PostgresLog.ts"
export * as PostgresManager from "./PostgresManager.ts"
