/**
 * The reservation of a manager for transactions that have met two conflicts. It is that of a ref, which all programs open
 * by one name. While a transaction has it, the commits of the others wait: so each of n contending ones needs three runs.
 * A commit that waits and then meets no conflict takes effect without a reservation of its own.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { Connection } from "../client/Connection.ts"
import type { ref } from "../engine/kinds/record.ts"
import type { GrantId } from "../engine/Operation.ts"
import { InvalidRequest, ManagerError } from "../ManagerError.ts"
import * as SharedRef from "../SharedRef.ts"
import { Manager } from "./Manager.ts"
import { type PreparedCall, type Remote, TypeId } from "./Remote.ts"

/** The ref whose reservation it is. */
export type Gate = Remote<typeof ref>

const name = "@effect-multiprocessing/core/Transaction"

const gates = new WeakMap<Connection, Gate>()

/** The gate of a manager. A process opens it for its first transaction that writes. */
export const gate: Effect.Effect<Gate, ManagerError, Manager> = Manager.use(({ connection }) => {
  const known = gates.get(connection)
  if (known !== undefined) return Effect.succeed(known)
  return SharedRef.make({ name, schema: Schema.Int, initial: 0 }).pipe(
    // It is given back when the connection ends.
    Effect.provideService(Scope.Scope, Scope.makeUnsafe()),
    Effect.map((opened) => {
      // A ref of this module.
      const gate = opened[TypeId] as Gate
      gates.set(connection, gate)
      return gate
    }),
    Effect.mapError((error) =>
      error instanceof ManagerError ? error : new ManagerError({
        reason: new InvalidRequest({
          object: name,
          operation: "open",
          issue: "another object has the name of this ref"
        })
      })
    )
  )
})

/** The call of a commit that waits while another transaction has the reservation. */
export const pass = (gate: Gate): PreparedCall => gate.prepared("pass", [0])

/** The call that waits for the reservation, whose id is the first part of the reply. */
export const reserve = (gate: Gate): PreparedCall => gate.prepared("reserve", ["value"])

/** The call of a commit that ends the reservation. */
export const end = (gate: Gate, reservation: GrantId): PreparedCall => gate.prepared("endReservation", [reservation])
