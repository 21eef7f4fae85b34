/**
 * Adding an object to a manager, new or loaded.
 */
import * as Lane from "./Lane.ts"
import type { EngineState, SharedObject } from "./State.ts"

/** What an object is made with; the rest of it begins empty. */
export type Creation = Pick<SharedObject, "id" | "kind" | "name" | "agreement" | "fingerprint" | "keep" | "state">

/** Adds an object that nobody refers to yet. The values of its state are still to be counted. */
export const create = (
  state: EngineState,
  { agreement, fingerprint, id, keep, kind, name, state: initial }: Creation
): SharedObject => {
  const object: SharedObject = {
    id,
    kind,
    operations: state.operations.get(kind)!,
    name,
    agreement,
    fingerprint,
    keep,
    state: initial,
    lanes: Lane.make(kind.lanes),
    waiting: 0,
    grants: new Map(),
    references: 0,
    watchers: new Map()
  }
  state.objects.set(id, object)
  if (name !== undefined) state.names.set(name, id)
  return object
}
