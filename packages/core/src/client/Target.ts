/**
 * What a call is made to: an object, and an operation of its kind.
 */
import type { Access } from "../engine/Operation.ts"
import type { ObjectId } from "../engine/Value.ts"
import type { OperationMeter } from "../metrics/Recorder.ts"

/** An operation of a kind, as this manager numbers it. */
export interface OperationInfo {
  readonly name: string
  /** The kind that has it. Absent: it stands for several. */
  readonly kind: string | undefined
  readonly position: number
  readonly access: Access
  /** Absent: its calls are not measured. */
  readonly meter: OperationMeter | undefined
}

/** Whom a call is made to, for the wire and for messages. */
export interface Target {
  readonly id: ObjectId
  readonly name: string | undefined
  readonly description: string
}

/** An object as messages name it: by its kind, and its name or id. */
export const describe = (kind: string, name: string | number | undefined): string =>
  name === undefined ? `a new ${kind}` : typeof name === "number" ? `${kind} #${name}` : `${kind} "${name}"`
