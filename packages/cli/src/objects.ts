/** `emp ls`, `emp inspect`, `emp rm` and `emp shutdown`: the objects of a manager, whatever their values are, and itself. */
import { Manager, type ManagerError, Untyped } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Output from "./output.ts"

/** An object as people name it: unnamed ones by their id. */
export const nameOf = ({ id, name }: Manager.ObjectIdentity): string => name === null ? `#${id}` : Output.shown(name)

/** Lists the objects. */
export const list = ({ json }: { readonly json: boolean }): Effect.Effect<void, unknown, Manager.Manager> =>
  Effect.gen(function*() {
    const { objects } = yield* Manager.Manager
    if (json) return yield* Stream.runForEach(objects, Output.printJson)
    const rows = (yield* Stream.runCollect(objects)).map((object) => [
      nameOf(object),
      object.kind,
      object.held,
      object.waiting,
      object.watchers,
      object.references
    ])
    yield* Output.print(...Output.table(["NAME", "KIND", "HELD", "WAITING", "WATCHERS", "REFERENCES"], rows))
  })

/** Shows an object with its holders and waiters. */
export const inspect = (
  { json, name }: { readonly json: boolean; readonly name: string }
): Effect.Effect<void, unknown, Manager.Manager> =>
  Effect.gen(function*() {
    const manager = yield* Manager.Manager
    const object = yield* Untyped.find(name)
    const sessions = new Map((yield* Stream.runCollect(manager.sessions)).map((session) => [session.id, session]))
    const complete = <Row extends Pick<Manager.Holder, "session">>(
      rows: Stream.Stream<Row, ManagerError.ManagerError>
    ) => Stream.runCollect(Stream.map(rows, (row) => ({ ...row, ...ofSession(sessions.get(row.session)) })))
    const holders = yield* complete(manager.holders(object))
    const waiters = yield* complete(manager.waiters(object))
    if (json) return yield* Output.printJson({ ...object, holders, waiters })
    const { held, id, kind, references, schema, waiting, watchers } = object
    yield* Output.print(
      `${kind} ${nameOf(object)} (#${id})`,
      ...schema === "" ? [] : [`schema: ${schema}`],
      `held ${held}, waiting ${waiting}, watchers ${watchers}, references ${references}`
    )
    yield* printRows("HOLDER", "TOKEN", holders.map((row) => rowOf(row, row.token, row.heldMs)))
    yield* printRows("WAITER", "CALL", waiters.map((row) => rowOf(row, row.operation, row.waitedMs)))
  })

/** What a holder or waiter does not say of its session. That may have begun after the sessions were read. */
const ofSession = ({ endsInMs, role }: Partial<Manager.SessionInfo> = {}) => ({
  role: role ?? "",
  endsInMs: endsInMs ?? null
})

type Row = Pick<Manager.SessionInfo, "name" | "pid" | "endsInMs"> & { readonly session: number; readonly role: string }

const rowOf = (row: Row, what: Output.Cell, milliseconds: number): ReadonlyArray<Output.Cell> => {
  const { name, pid, role, session } = row
  return [name, pid, session, role, what, Output.duration(milliseconds), Output.endsIn(row)]
}

const printRows = (who: string, what: string, rows: ReadonlyArray<ReadonlyArray<Output.Cell>>) =>
  rows.length === 0
    ? Effect.void
    : Output.print("", ...Output.table([who, "PID", "SESSION", "ROLE", what, "FOR", "ENDS IN"], rows))

/** Removes an object. */
export const remove = ({ name }: { readonly name: string }): Effect.Effect<void, unknown, Manager.Manager> =>
  Effect.gen(function*() {
    yield* (yield* Manager.Manager).remove(yield* Untyped.open(name))
  })

/** Ends the manager. */
export const shutdown = (): Effect.Effect<void, unknown, Manager.Manager> =>
  Effect.flatMap(Manager.Manager, ({ shutdown }) => shutdown)
