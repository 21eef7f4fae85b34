/** What a client knows of its manager since the handshake. */
import * as Context from "effect/Context"
import type { OperationTable, Role } from "../engine/Inputs.ts"
import { Recorder } from "../metrics/Recorder.ts"
import type { OperationInfo, Target } from "./Target.ts"
import type { WindowLimits } from "./Window.ts"

/** What the manager said at the handshake. */
export interface Agreement {
  readonly session: number
  /** What the key makes of this client. */
  readonly role: Role
  /** How long the session survives its link, in milliseconds. 0: not at all. */
  readonly graceMs: number
  /** How often the client asks whether the manager is there, in milliseconds. 0: never. */
  readonly heartbeatMs: number
  readonly epoch: number
  readonly instance: string
  readonly operations: OperationTable
  readonly limits: WindowLimits & { readonly frameBytesMax: number; readonly watchCredit: number }
}

/** The directory of the manager. */
export const directory: Target = { id: 0, name: undefined, description: "the manager" }

/** The operations of each kind, by name. */
export const operationsIn = (
  table: OperationTable,
  context: Context.Context<never>
): ReadonlyMap<string, ReadonlyMap<string, OperationInfo>> => {
  const recorder = Context.get(context, Recorder)
  return new Map(
    Object.entries(table).map(([kind, list]) => [
      kind,
      new Map(list.map(([name, access], position) => {
        const meter = recorder?.operation(kind, name)
        return [name, { name, kind, position, access, meter }]
      }))
    ])
  )
}
