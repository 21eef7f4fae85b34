import type { EngineState } from "#core/engine/State.ts"
import type { ObjectId } from "#core/engine/Value.ts"

/** What names, sessions, and the values of what these lead to, lead to: all that a manager should keep when idle. */
export const reachable = ({ names, objects, sessions }: EngineState): ReadonlySet<ObjectId> => {
  const reached = new Set<ObjectId>([0, ...names.values()])
  for (const session of sessions.values()) for (const id of session.imports.keys()) reached.add(id)
  // Also visits what is added meanwhile.
  for (const id of reached) {
    const object = objects.get(id)
    if (object === undefined) continue
    for (const cell of object.kind.values(object.state)) for (const handle of cell.handles) reached.add(handle)
  }
  return reached
}
