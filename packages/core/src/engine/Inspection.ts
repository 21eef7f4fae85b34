/**
 * The inspection of a manager: rows of its sessions and objects, and of the holders and waiters of each object.
 *
 * The manager makes no change while it writes rows, and there may be any number of them. So they are read in pages. Every
 * row has a key that grows: an id, a token, an arrival. A page begins behind a key, so it continues the page before it,
 * whether or not the row of that key still exists. A row that exists throughout is read exactly once.
 */
import type { Role, SessionId } from "./Inputs.ts"
import type { EngineState, Lane, Place, SharedObject } from "./State.ts"
import { bytesMaxOf, directory, type ObjectId } from "./Value.ts"

/** The size of a manager. */
export interface Counts {
  readonly sessions: number
  readonly objects: number
  /** Waiting calls. */
  readonly waiters: number
  /** Grants that are not settled: holds, permits, deliveries, leases and others. */
  readonly holders: number
}

/** A connected process, or one that has lost its connection and has a grace. */
export interface SessionInfo {
  readonly id: number
  readonly name: string
  readonly pid: number
  readonly role: Role
  /** Milliseconds until it ends, because it has no connection; null: it has one. */
  readonly endsInMs: number | null
  /** Its waiting requests. */
  readonly waiting: number
  /** Its grants that are not settled. */
  readonly holding: number
}

/** The properties of an object that never change. */
export interface ObjectIdentity {
  /** Never reused. Later objects have larger ids. */
  readonly id: number
  /** The public type without "Shared". */
  readonly kind: string
  readonly name: string | null
}

/** A shared object. */
export interface ObjectInfo extends ObjectIdentity {
  /** Handles in processes, in values of other objects, and in arguments of waiting calls. */
  readonly references: number
  readonly watchers: number
  /** Waiting calls to it. */
  readonly waiting: number
  /** Its grants that are not settled. */
  readonly held: number
}

/** A named object, with the schemas that programs must open it with. */
export interface NamedObject extends ObjectInfo {
  readonly name: string
  /** The fingerprint of the schemas of its values (S-26); of an own kind, that of the kind. */
  readonly schema: string
}

/** A call that waits for an object. */
export interface Waiter {
  readonly session: number
  readonly name: string
  readonly pid: number
  readonly operation: string
  /** The order in which requests began to wait in this manager. */
  readonly arrival: number
  /** Milliseconds since it began to wait. */
  readonly waitedMs: number
}

/** A process with a grant of an object. */
export interface Holder {
  readonly session: number
  readonly name: string
  readonly pid: number
  /** The id of the grant; of a lock, the fencing token. */
  readonly token: number
  /** Milliseconds since it was granted. */
  readonly heldMs: number
}

/** A shared object with its waiters and holders. */
export interface ObjectDetails extends ObjectInfo {
  /** In order of arrival. A request of several calls is here if it waits for the call to this object. */
  readonly waiters: ReadonlyArray<Waiter>
  /** In order of acquisition. */
  readonly holders: ReadonlyArray<Holder>
}

/** A whole manager. */
export interface Inspection {
  readonly epoch: number
  readonly index: number
  readonly counts: Counts
  readonly sessions: ReadonlyArray<SessionInfo>
  readonly objects: ReadonlyArray<ObjectDetails>
}

/** The most sessions, objects, waiters and holders of an inspection at one instant. */
const rowsMax = 1_000

/** The most waiters, and the most holders, in the row of an object: all of them could be more than a page. */
const detailsMax = 10

/** Costs the same for a manager of any size. */
export const counts = ({ counts, objects, sessions }: EngineState): Counts => ({
  sessions: sessions.size,
  // The directory is none of them.
  objects: objects.size - 1,
  ...counts
})

/** Everything at one instant, as JSON; null if that is more than `rowsMax` rows or `bytesMax` bytes. */
export const snapshot = (state: EngineState, bytesMax: number): string | null => {
  const { holders: holding, objects, sessions, waiters: waiting } = counts(state)
  if (sessions + objects + waiting + holding > rowsMax) return null
  const inspection: Inspection = {
    epoch: state.epoch,
    index: state.index,
    counts: counts(state),
    sessions: [...sessionsAfter(state, 0)],
    objects: [...detailsAfter(state, 0, Infinity)]
  }
  const whole = JSON.stringify(inspection)
  return bytesMaxOf(whole) > bytesMax ? null : whole
}

/** Sessions by id, which is the order in which they were opened. */
export function* sessionsAfter({ now, sessions }: EngineState, after: number): Generator<SessionInfo> {
  for (const { deadline, grants, id, label, parked, rights } of sessions.values()) {
    if (id <= after) continue
    yield {
      id,
      name: label.name,
      pid: label.pid,
      role: rights?.role ?? "owner",
      endsInMs: deadline === undefined ? null : Math.ceil(deadline - now),
      waiting: parked.size,
      holding: grants.size
    }
  }
}

/** Objects by id. */
export function* objectsAfter({ objects }: EngineState, after: ObjectId): Generator<ObjectInfo> {
  for (const object of objects.after(after)) if (object.id !== directory) yield rowOf(object)
}

const rowOf = ({ grants, id, kind, name, references, waiting, watchers }: SharedObject): ObjectInfo => ({
  id,
  kind: kind.name,
  name: name ?? null,
  references,
  watchers: watchers.size,
  waiting,
  held: grants.size
})

/** The object of a name; undefined: there is none. */
export const named = ({ names, objects }: EngineState, name: string): NamedObject | undefined => {
  const object = objects.get(names.get(name) ?? directory)
  return object === undefined || object.id === directory
    ? undefined
    : { ...rowOf(object), name, schema: object.fingerprint }
}

/** Objects by id, with their first waiters and holders. */
export function* detailsAfter(state: EngineState, after: ObjectId, most = detailsMax): Generator<ObjectDetails> {
  for (const object of objectsAfter(state, after)) {
    const waiters = first(waitersAfter(state, object.id, 0), most)
    yield { ...object, waiters, holders: first(holdersAfter(state, object.id, 0), most) }
  }
}

const first = <Row>(rows: Iterable<Row>, most: number): ReadonlyArray<Row> => {
  const found: Array<Row> = []
  for (const row of rows) if (found.push(row) >= most) break
  return found
}

/** The holders of an object by token. Each holder before the key costs some nanoseconds. */
export function* holdersAfter(state: EngineState, object: ObjectId, after: number): Generator<Holder> {
  for (const { grantedAt, id, session } of state.objects.get(object)?.grants.values() ?? []) {
    if (id > after) yield { ...clientOf(state, session), token: id, heldMs: Math.floor(state.now - grantedAt) }
  }
}

/** The waiters of an object by arrival, over all lanes. Each waiter before the key costs some nanoseconds. */
export function* waitersAfter(state: EngineState, object: ObjectId, after: number): Generator<Waiter> {
  const waitedFor = state.objects.get(object)
  if (waitedFor === undefined) return
  const heads = Array.from(waitedFor.lanes.values(), (lane) => firstAfter(lane, after))
  for (let place = earliest(heads); place !== undefined; place = earliest(heads)) {
    const { arrival, calls, parkedAt, session } = place.parked
    const operation = waitedFor.operations[calls[place.call]!.operation]![0]
    yield { ...clientOf(state, session), operation, arrival, waitedMs: Math.floor(state.now - parkedAt) }
    heads[heads.indexOf(place)] = place.next
  }
}

const firstAfter = ({ head }: Lane, arrival: number): Place | undefined => {
  let place = head
  while (place !== undefined && place.parked.arrival <= arrival) place = place.next
  return place
}

const earliest = (places: ReadonlyArray<Place | undefined>): Place | undefined =>
  places.reduce(
    (first, place) =>
      first === undefined || place !== undefined && place.parked.arrival < first.parked.arrival ? place : first,
    undefined
  )

const clientOf = ({ sessions }: EngineState, session: SessionId) => {
  const { name, pid } = sessions.get(session)!.label
  return { session, name, pid }
}
