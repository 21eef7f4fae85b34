// Written by scripts/barrel.mjs, do not edit.
export * as PostgresLog from "./PostgresLog.ts"
