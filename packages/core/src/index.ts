// @barrel
export * as Limits from "./Limits.ts"
export * as Manager from "./Manager.ts"
export * as ManagerError from "./ManagerError.ts"
export * as SharedLock from "./SharedLock.ts"
export * as SharedMap from "./SharedMap.ts"
export * as SharedNamespace from "./SharedNamespace.ts"
export * as SharedQueue from "./SharedQueue.ts"
export * as SharedRef from "./SharedRef.ts"
