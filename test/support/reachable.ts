import type { EngineState } from "#core/engine/State.ts"
import type { ObjectId } from "#core/engine/Value.ts"

/** The objects that names and sessions refer to, directly or through values: an idle manager keeps no others. */
export const reachable = ({ names, objects, sessions }: EngineState): ReadonlySet<ObjectId> => {
  const reached = new Set<ObjectId>([0, ...names.values()])
  for (const session of sessions.values()) for (const id of session.imports.keys()) reached.add(id)
  // The iteration also visits objects that are added during it.
  for (const id of reached) {
    const object = objects.get(id)
    if (object === undefined) continue
    for (const cell of object.kind.values(object.state)) for (const handle of cell.handles) reached.add(handle)
  }
  return reached
}
