/** `emp ls`, `emp inspect` and `emp rm`: the objects of a manager, whatever their values are. */
import { Manager, Untyped } from "@effect-multiprocessing/core"
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
    const holders = yield* Stream.runCollect(manager.holders(object))
    const waiters = yield* Stream.runCollect(manager.waiters(object))
    if (json) return yield* Output.printJson({ ...object, holders, waiters })
    const { held, id, kind, references, schema, waiting, watchers } = object
    yield* Output.print(
      `${kind} ${nameOf(object)} (#${id})`,
      ...schema === "" ? [] : [`schema: ${schema}`],
      `held ${held}, waiting ${waiting}, watchers ${watchers}, references ${references}`
    )
    if (holders.length > 0) {
      const rows = holders.map((
        { heldMs, name, pid, session, token }
      ) => [name, pid, session, token, Output.duration(heldMs)])
      yield* Output.print("", ...Output.table(["HOLDER", "PID", "SESSION", "TOKEN", "FOR"], rows))
    }
    if (waiters.length > 0) {
      const rows = waiters.map((
        { name, operation, pid, session, waitedMs }
      ) => [name, pid, session, operation, Output.duration(waitedMs)])
      yield* Output.print("", ...Output.table(["WAITER", "PID", "SESSION", "CALL", "FOR"], rows))
    }
  })

/** Removes an object. */
export const remove = ({ name }: { readonly name: string }): Effect.Effect<void, unknown, Manager.Manager> =>
  Effect.gen(function*() {
    yield* (yield* Manager.Manager).remove(yield* Untyped.open(name))
  })
