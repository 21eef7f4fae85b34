/** What must be left of a manager when all its clients have gone: nothing but what was to stay. */
import type { Engine } from "../engine/Engine.ts"

/** Sessions, grants, waiters and objects that should have gone with the last client, as sentences. */
export const leaks = ({ state }: Engine): ReadonlyArray<string> => {
  const left: Array<string> = []
  for (const id of state.sessions.keys()) left.push(`session ${id} has not ended, though its client has`)
  for (const { id, grants, keep, kind, name, references, state: value, waiting } of state.objects.values()) {
    for (const grant of grants.values()) {
      left.push(`grant ${grant.id} of object ${id} is left of session ${grant.session}`)
    }
    if (id === 0) continue
    if (waiting > 0) left.push(`${kind.name} #${id} still has ${waiting} waiters`)
    // References that are left stand in values of objects that stay: the invariants have counted them.
    if (references === 0 && (name === undefined || (!keep && kind.pristine(value)))) {
      left.push(`${kind.name} #${id} is still there, though nobody refers to it`)
    }
  }
  return left
}
