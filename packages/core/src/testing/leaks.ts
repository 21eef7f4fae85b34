/** The leaks of a manager whose clients have all gone. Only permanent objects may be left. */
import type { Engine } from "../engine/Engine.ts"

/** The sessions, grants, waiters and objects that should have ended with the last client, as sentences. */
export const leaks = ({ state }: Engine): ReadonlyArray<string> => {
  const left: Array<string> = []
  for (const id of state.sessions.keys()) left.push(`session ${id} has not ended, though its client has`)
  for (const { id, grants, keep, kind, name, references, state: value, waiting } of state.objects.values()) {
    for (const grant of grants.values()) {
      left.push(`grant ${grant.id} of object ${id} is left of session ${grant.session}`)
    }
    if (id === 0) continue
    if (waiting > 0) left.push(`${kind.name} #${id} still has ${waiting} waiters`)
    // The remaining references are in values of permanent objects. The invariants have counted them.
    if (references === 0 && (name === undefined || (!keep && kind.pristine(value)))) {
      left.push(`${kind.name} #${id} still exists, though nothing refers to it`)
    }
  }
  return left
}
