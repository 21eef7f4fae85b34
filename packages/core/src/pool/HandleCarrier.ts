/**
 * Values that bear handles, on their way between a pool and a worker: a shared object without a name holds them, which
 * counts the handles, until the other side has them (S-24). Values without handles travel as text.
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

/** Nobody but the two sides knows it, so it needs no methods. */
const holder: Shared.Facade<Shared.Shared, typeof ref> = {
  kind,
  proxy: (remote) => ({ [Shared.TypeId]: remote })
}

/** Holds a value for the life of the scope; answers the object that does. */
export const make = (cell: Cell): Effect.Effect<ObjectId, ManagerError, Manager | Scope.Scope> =>
  Shared.open(
    holder,
    { options: { [field]: "" }, initial: () => Exit.succeed([cell]) },
    undefined
  ).pipe(
    Effect.map((shared) => shared[Shared.TypeId].target.id),
    // There is no name to disagree about.
    Effect.catchTags({ SchemaMismatch: Effect.die, OptionsMismatch: Effect.die })
  )

/** Fetches a value that the other side lends; its handles count for this process until they are given back. */
export const read = (object: ObjectId, description: string): Effect.Effect<Cell, ManagerError, Manager> =>
  Effect.flatMap(
    Manager,
    ({ connection }) =>
      new Remote<typeof ref>(connection, kind, { id: object, name: undefined, description }, "")
        // A ref has this field.
        .call("get", [field], ([cell]) => Exit.succeed(cell!))
  )

/** Gives the handles of a borrowed value back. */
export const dropHandles = (cell: Cell): Effect.Effect<void, never, Manager> =>
  Effect.map(Manager, ({ connection }) => connection.dropHandles([cell]))
