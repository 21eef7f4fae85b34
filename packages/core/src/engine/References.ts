/**
 * Reference counts of shared objects, and the removal of objects without references (S-23, S-24, S-27).
 *
 * Roots are names, the imports of sessions and the arguments of parked calls; edges are the values in the states of
 * objects. Counting frees an object at once unless it is in a cycle. An object that lost a reference and has others is
 * a suspect; after every `traceEveryDrops` drops, and as many as there are objects, the suspects are traced from the roots.
 */
import type { Input, SessionId } from "./Inputs.ts"
import * as Lane from "./Lane.ts"
import * as Memory from "./Memory.ts"
import type { EngineState, Session, SharedObject } from "./State.ts"
import { type Argument, type Cell, isCell, type ObjectId } from "./Value.ts"

/** Counts a value: its bytes, and its handles. */
export const retain = (state: EngineState, cell: Cell): void => {
  state.bytes += Memory.ofCell(cell)
  retainHandles(state, cell)
}

const retainHandles = (state: EngineState, cell: Cell): void => {
  for (const id of cell.handles) {
    const object = state.objects.get(id)
    if (object !== undefined) object.references++
  }
}

/** Uncounts a value. */
export const release = (state: EngineState, cell: Cell): void => {
  state.bytes -= Memory.ofCell(cell)
  for (const id of cell.handles) forget(state, id, 1)
}

/** Counts the values among the arguments of a parked call. */
export const retainArguments = (state: EngineState, args: ReadonlyArray<Argument>): void => {
  for (const argument of args) if (isCell(argument)) retain(state, argument)
}

/** Uncounts the values among the arguments of a parked call. */
export const releaseArguments = (state: EngineState, args: ReadonlyArray<Argument>): void => {
  for (const argument of args) if (isCell(argument)) release(state, argument)
}

/** Counts the handles of a reply or event: one import of the session for each time a handle is sent (S-24). */
export const importHandles = (state: EngineState, session: SessionId, parts: ReadonlyArray<Argument>): boolean => {
  let bears = false
  for (const part of parts) {
    if (!isCell(part) || part.handles.length === 0) continue
    bears = true
    const imports = state.sessions.get(session)!.imports
    for (const id of part.handles) imports.set(id, (imports.get(id) ?? 0) + 1)
    retainHandles(state, part)
  }
  return bears
}

/** A session gives back handles that it received (S-24). More than it received are ignored. */
export const drop = (state: EngineState, session: SessionId, id: ObjectId, times: number): void => {
  const imports = state.sessions.get(session)?.imports
  const told = imports?.get(id) ?? 0
  const given = Math.min(told, times)
  if (imports === undefined || given <= 0) return
  if (given === told) imports.delete(id)
  else imports.set(id, told - given)
  forget(state, id, given)
}

/**
 * A client tells which handles it has, after it has lost a link: messages with handles may have been lost, and drops. It
 * has at most what it was given.
 */
export const reconcile = (
  state: EngineState,
  { answered, id: session, imports }: Session,
  { from, times, to }: Extract<Input, { readonly _tag: "Imports" }>
): void => {
  const kept = new Map(times)
  for (const { outcome } of answered.values()) {
    if (outcome._tag === "Failure") continue
    for (const part of outcome.reply) {
      if (isCell(part)) { for (const id of part.handles) kept.set(id, (kept.get(id) ?? 0) + 1) }
    }
  }
  for (const [id, told] of imports) {
    if (from <= id && id <= to) drop(state, session, id, told - (kept.get(id) ?? 0))
  }
}

/** Takes references from an object. */
const forget = (state: EngineState, id: ObjectId, times: number): void => {
  const object = state.objects.get(id)
  if (object === undefined) return
  object.references -= times
  state.dropsSinceTrace += times
  if (object.references > 0) state.suspects.add(id)
  else state.unreferenced.add(id)
}

/** Call it after an object lost a waiter or a grant, which may have been all that kept the object. */
export const released = (state: EngineState, object: SharedObject): void => {
  if (object.references === 0) state.unreferenced.add(object.id)
}

/**
 * At the end of a step: removes objects that nothing keeps, tells their watchers, and releases their values in turn.
 */
export const collect = (state: EngineState, tell: (gone: SharedObject) => void): void => {
  if (state.unreferenced.size > 0) sweep(state, tell)
  if (state.suspects.size > 0 && isTraceDue(state)) {
    trace(state, tell)
    sweep(state, tell)
  }
}

/** Objects whose search costs nothing that matters, about a millisecond. */
const cheapObjects = 1_024

/** A search visits every object. So that a drop costs the same in every manager, a large one searches as rarely as it is large. */
const isTraceDue = ({ dropsSinceTrace, limits: { traceEveryDrops }, objects }: EngineState): boolean =>
  dropsSinceTrace >= Math.max(traceEveryDrops, objects.size - cheapObjects)

const end = (state: EngineState, object: SharedObject, tell: (gone: SharedObject) => void): void => {
  tell(object)
  destroy(state, object)
}

/** Visits also objects that are added meanwhile: removing an object may free those that its values refer to. */
const sweep = (state: EngineState, tell: (gone: SharedObject) => void): void => {
  for (const id of state.unreferenced) {
    state.unreferenced.delete(id)
    const object = state.objects.get(id)
    if (object === undefined) continue
    if (isForgettable(object)) end(state, object, tell)
    // Until its grants and waiters are gone it may still be put into itself.
    else if (!isIdle(object)) state.suspects.add(id)
  }
}

const isIdle = (object: SharedObject): boolean => object.waiting === 0 && object.grants.size === 0

const isForgettable = (object: SharedObject): boolean =>
  object.references === 0 && isIdle(object) &&
  (object.name === undefined || (!object.keep && object.kind.pristine(object.state)))

/** Removes an object. Its waiters and grants must be gone before. */
export const destroy = (state: EngineState, object: SharedObject): void => {
  state.objects.delete(object.id)
  state.suspects.delete(object.id)
  if (object.name !== undefined) state.names.delete(object.name)
  state.bytes -= Memory.ofObject(object)
  const maker = state.sessions.get(object.maker)
  if (maker !== undefined) maker.made--
  for (const watcher of object.watchers.values()) {
    state.sessions.get(watcher.session)?.watches.delete(watcher.sequence)
  }
  for (const cell of object.kind.values(object.state)) release(state, cell)
}

/** Removes suspects that no root reaches: they only refer to each other. */
const trace = (state: EngineState, tell: (gone: SharedObject) => void): void => {
  const reached = new Set<ObjectId>()
  const pending: Array<ObjectId> = []
  const reach = (id: ObjectId) => {
    if (reached.has(id) || !state.objects.has(id)) return
    reached.add(id)
    pending.push(id)
  }
  for (const id of state.names.values()) reach(id)
  for (const session of state.sessions.values()) for (const id of session.imports.keys()) reach(id)
  for (const object of state.objects.values()) {
    if (!isIdle(object)) reach(object.id)
    for (const lane of object.lanes.values()) {
      for (const { parked } of Lane.places(lane)) {
        for (const { args } of parked.calls) {
          for (const argument of args) if (isCell(argument)) argument.handles.forEach(reach)
        }
      }
    }
  }
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    const object = state.objects.get(id)!
    for (const cell of object.kind.values(object.state)) cell.handles.forEach(reach)
  }
  for (const id of state.suspects) {
    const object = state.objects.get(id)
    if (object !== undefined && !reached.has(id)) end(state, object, tell)
    // A grant or a waiter alone may keep it, and their end is no drop: it stays a suspect until then.
    else if (object === undefined || isIdle(object)) state.suspects.delete(id)
  }
  state.dropsSinceTrace = 0
}
