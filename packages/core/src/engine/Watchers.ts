/**
 * Watching an object: a snapshot, then every change in order, without a silent gap (S-29).
 *
 * A watcher has credit. Without credit, and while its client is too far behind with reading, a change is not kept: the
 * watcher is marked as lagging, and gets a fresh snapshot with its next credit, or when its client has read. So a slow
 * watcher costs one mark and delays no other client (S-12). Watchers keep nothing alive (S-24).
 */
import type { Outcome, WatchEvent } from "./Inputs.ts"
import type { Reply } from "./Operation.ts"
import * as Permission from "./Permission.ts"
import * as References from "./References.ts"
import type { EngineState, Session, SharedObject, Watcher } from "./State.ts"
import { directory, type ObjectId } from "./Value.ts"

const key = (session: Session, sequence: number): string => `${session.id}:${sequence}`

/** Subscribes, and replies with the snapshot. */
export const watch = (
  state: EngineState,
  session: Session,
  id: ObjectId,
  sequence: number,
  credit: number
): void => {
  const outcome = subscribe(state, session, id, sequence, credit)
  if (outcome._tag === "Success") References.importHandles(state, session.id, outcome.reply)
  state.outputs.push({ _tag: "Reply", session: session.id, sequence, index: state.index, outcome })
}

const subscribe = (
  state: EngineState,
  session: Session,
  id: ObjectId,
  sequence: number,
  credit: number
): Outcome => {
  const failure = (error: string, ...details: Reply): Outcome => ({ _tag: "Failure", error, details })
  const object = state.objects.get(id)
  if (object === undefined) return failure("ObjectNotFound")
  if (object.kind.snapshot === undefined) return failure("UnknownOperation", object.kind.name)
  const refused = Permission.ofObject(state, session, object)
  if (refused !== undefined) return failure(refused.error, ...refused.details)
  const { watchersPerObjectMax } = state.limits
  if (object.watchers.size >= watchersPerObjectMax) {
    return failure("LimitExceeded", "watchersPerObjectMax", watchersPerObjectMax)
  }
  join(object, session, { session: session.id, sequence, credit, lagged: false })
  return { _tag: "Success", reply: object.kind.snapshot(object.state) }
}

/** Adds a subscription to its object and its session. */
export const join = (object: SharedObject, session: Session, watcher: Watcher): void => {
  object.watchers.set(key(session, watcher.sequence), watcher)
  session.watches.set(watcher.sequence, object.id)
}

/** Ends a subscription; one that is not there is no error. */
export const unwatch = (state: EngineState, session: Session, sequence: number): void => {
  const object = state.objects.get(session.watches.get(sequence) ?? -1)
  session.watches.delete(sequence)
  object?.watchers.delete(key(session, sequence))
}

/** The client is ready for more; if it missed something it gets a snapshot at once. */
export const credit = (state: EngineState, session: Session, sequence: number, more: number): void => {
  const object = state.objects.get(session.watches.get(sequence) ?? -1)
  const watcher = object?.watchers.get(key(session, sequence))
  if (object === undefined || watcher === undefined) return
  watcher.credit = Math.min(watcher.credit + more, Number.MAX_SAFE_INTEGER)
  catchUp(state, session, object, watcher)
}

/** The client is too far behind with reading, or is so no more: then watchers that missed something get a snapshot. */
export const congestion = (state: EngineState, session: Session, isCongested: boolean): void => {
  session.isCongested = isCongested
  for (const sequence of session.watches.keys()) credit(state, session, sequence, 0)
}

const catchUp = (state: EngineState, session: Session, object: SharedObject, watcher: Watcher): void => {
  if (!watcher.lagged || watcher.credit <= 0 || session.isCongested) return
  watcher.lagged = false
  emit(state, watcher, "reset", object.kind.snapshot!(object.state))
}

/** Tells every watcher of an object that has credit. */
export const tell = (state: EngineState, object: SharedObject, event: WatchEvent, parts: Reply): void => {
  for (const watcher of object.watchers.values()) {
    const isTold = watcher.credit > 0 && !state.sessions.get(watcher.session)!.isCongested
    if (isTold || event === "ended") emit(state, watcher, event, parts)
    else watcher.lagged = true
  }
}

/** Tells the watchers of an object that it goes, and those of the directory which object goes. */
export const tellGone = (state: EngineState, object: SharedObject): void => {
  tell(state, object, "ended", [])
  tell(state, state.objects.get(directory)!, "change", [object.id])
}

const emit = (state: EngineState, watcher: Watcher, event: WatchEvent, parts: Reply): void => {
  watcher.credit--
  References.importHandles(state, watcher.session, parts)
  const { sequence, session } = watcher
  state.outputs.push({ _tag: "Event", session, sequence, index: state.index, event, parts })
}
