/**
 * Adding an object to a manager, new or loaded.
 */
import * as Lane from "./Lane.ts"
import * as Memory from "./Memory.ts"
import type { EngineState, SharedObject } from "./State.ts"

/** The properties of an object that its creator decides; the others begin empty. */
export type Creation =
  & Pick<SharedObject, "id" | "kind" | "name" | "agreement" | "fingerprint" | "keep" | "maker" | "state">
  & Partial<Pick<SharedObject, "changedAt">>

/** Adds an object without references. The values of its state are not retained yet. */
export const create = (
  state: EngineState,
  { agreement, changedAt = state.now, fingerprint, id, keep, kind, maker, name, state: initial }: Creation
): SharedObject => {
  const object: SharedObject = {
    id,
    kind,
    operations: state.operations.get(kind)!,
    name,
    agreement,
    fingerprint,
    keep,
    maker,
    state: initial,
    lanes: Lane.make(kind.lanes),
    conditions: undefined,
    waiting: 0,
    grants: new Map(),
    references: 0,
    watchers: new Map(),
    changedAt,
    isTouched: false
  }
  state.objects.set(id, object)
  state.bytes += Memory.ofObject(object)
  if (name !== undefined) state.names.set(name, id)
  const session = state.sessions.get(maker)
  if (session !== undefined) session.made++
  return object
}
