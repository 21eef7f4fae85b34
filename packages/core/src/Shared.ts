/**
 * The parts that all shared objects have in common: their types, for programs and libraries whose declarations name
 * them, and `acquire`, which ties fetched handles to a scope. Each object has a module of its own: `SharedQueue`,
 * `SharedRef`, and so on.
 */
export type { Arithmetic, Field, FieldOf, IfNumber, NumberField } from "./proxy/Field.ts"
export {
  acquire,
  type HandleSchema,
  type HandleWire,
  type OpenError,
  type SchemaOptions,
  type ServiceClass,
  type Shared
} from "./proxy/Shared.ts"
