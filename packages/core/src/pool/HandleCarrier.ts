/**
 * Carries a value with handles between a pool and a worker: a shared object without a name holds it, and counts its
 * handles, until the receiver has read it (S-24). A value without handles travels as text.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { ref } from "../engine/kinds/record.ts"
import type { Cell, ObjectId } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import { Manager } from "../proxy/Manager.ts"
import { Remote } from "../proxy/Remote.ts"
import * as Shared from "../proxy/Shared.ts"

const kind = "Ref"

/** The field of a ref. */
const field = "value"

/** A carrier has no methods: only this file uses it. */
const carrier: Shared.Facade<Shared.Shared, typeof ref> = {
  kind,
  proxy: (remote) => ({ [Shared.TypeId]: remote })
}

/** Makes a carrier of a value, for the life of the scope. Returns its id. */
export const make = (cell: Cell): Effect.Effect<ObjectId, ManagerError, Manager | Scope.Scope> =>
  Shared.open(
    carrier,
    { options: { [field]: "" }, initial: () => Exit.succeed([cell]) },
    undefined
  ).pipe(
    Effect.map((shared) => shared[Shared.TypeId].target.id),
    // An object without a name is new: it has no other schema and no other options.
    Effect.catchTags({ SchemaMismatch: Effect.die, OptionsMismatch: Effect.die })
  )

/** Reads the value of a carrier. Its handles count for this process until they are dropped. */
export const read = (object: ObjectId, description: string): Effect.Effect<Cell, ManagerError, Manager> =>
  Effect.flatMap(
    Manager,
    ({ connection }) =>
      new Remote<typeof ref>(connection, kind, { id: object, name: undefined, description }, "")
        // A ref has this field.
        .call("get", [field], ([cell]) => Exit.succeed(cell!))
  )

/** Drops the handles of a value that was read. */
export const dropHandles = (cell: Cell): Effect.Effect<void, never, Manager> =>
  Effect.map(Manager, ({ connection }) => connection.received.giveBack([cell], "the run of its task"))
