/**
 * The types that all shared objects have in common, for programs and libraries whose declarations name them. Each
 * object has a module of its own: `SharedQueue`, `SharedRef`, and so on.
 */
export type { Arithmetic, Field, FieldOf, IfNumber, NumberField } from "./proxy/Field.ts"
export type { HandleSchema, HandleWire, OpenError, ServiceClass, Shared } from "./proxy/Shared.ts"
