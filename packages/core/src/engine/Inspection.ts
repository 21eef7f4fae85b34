/**
 * What a manager tells of itself: rows of its sessions and objects, and of the holders and waiters of an object.
 *
 * There may be any number of rows, and the manager does nothing else while it writes them. So they are read in pages.
 * Every row has a key that grows; a page is the rows behind a key, so it can go on where the last one ended, whatever has
 * come and gone in between. Rows that are there throughout are read once each.
 */
import type { SessionId } from "./Inputs.ts"
import type { EngineState, Lane, Place } from "./State.ts"
import { bytesMaxOf, directory, type ObjectId } from "./Value.ts"

/** How much there is in a manager. */
export interface Counts {
  readonly sessions: number
  readonly objects: number
  /** Calls that wait. */
  readonly waiters: number
  /** Holds, deliveries, leases and whatever else calls were granted and have not given back. */
  readonly holders: number
}

/** A connected process. */
export interface SessionInfo {
  readonly id: number
  readonly name: string
  readonly pid: number
  /** Requests of it that wait. */
  readonly waiting: number
  /** Grants that it has not given back. */
  readonly holding: number
}

/** What an object is, as long as it lives. */
export interface ObjectIdentity {
  /** Never used again in the life of a manager. Later objects have larger ids. */
  readonly id: number
  /** Its public type without "Shared". */
  readonly kind: string
  readonly name: string | null
}

/** A shared object. */
export interface ObjectInfo extends ObjectIdentity {
  /** Handles: in processes, in values of other objects, and in arguments of calls that wait. */
  readonly references: number
  readonly watchers: number
  /** Calls that wait for it. */
  readonly waiting: number
  /** Grants of it that have not been given back. */
  readonly held: number
}

/** A call that waits for an object. */
export interface Waiter {
  readonly session: number
  readonly name: string
  readonly pid: number
  readonly operation: string
  /** Grows with each request that begins to wait in the manager. */
  readonly arrival: number
}

/** A process that holds something of an object. */
export interface Holder {
  readonly session: number
  readonly name: string
  readonly pid: number
  /** Of a lock: its fencing token. */
  readonly token: number
}

/** A shared object, and every process that waits for it or holds it. */
export interface ObjectDetails extends ObjectInfo {
  /** In order of arrival. Of a request of several calls those calls that it waits for. */
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

/** A manager of more sessions, objects, waiters and holders is not told in one piece. */
const rowsMax = 1_000

/** An object may have any number of waiters and holders: with all of them it could be a page of its own. */
const detailsMax = 10

/** Counts, without visiting what is counted. */
export const counts = ({ counts, objects, sessions }: EngineState): Counts => ({
  sessions: sessions.size,
  // The directory is none of them.
  objects: objects.size - 1,
  ...counts
})

/** Everything, of one instant; nothing if that is more than a page. */
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

/** Sessions by id. They are few, and may not have been opened in the order of their ids. */
export function* sessionsAfter({ sessions }: EngineState, after: number): Generator<SessionInfo> {
  for (const id of [...sessions.keys()].filter((id) => id > after).sort((a, b) => a - b)) {
    const { grants, label, parked } = sessions.get(id)!
    yield { id, name: label.name, pid: label.pid, waiting: parked, holding: grants.size }
  }
}

/** Objects by id. */
export function* objectsAfter({ objects }: EngineState, after: ObjectId): Generator<ObjectInfo> {
  for (const { grants, id, kind, name = null, references, waiting, watchers } of objects.after(after)) {
    if (id === directory) continue
    yield { id, kind: kind.name, name, references, watchers: watchers.size, waiting, held: grants.size }
  }
}

/** Objects by id, with the first of their waiters and holders. */
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

/** The holders of an object by token. To pass over those before costs some nanoseconds each. */
export function* holdersAfter(state: EngineState, object: ObjectId, after: number): Generator<Holder> {
  for (const { id, session } of state.objects.get(object)?.grants.values() ?? []) {
    if (id > after) yield { ...clientOf(state, session), token: id }
  }
}

/** The waiters of an object by arrival. To pass over those before costs some nanoseconds each. */
export function* waitersAfter(state: EngineState, object: ObjectId, after: number): Generator<Waiter> {
  const waitedFor = state.objects.get(object)
  if (waitedFor === undefined) return
  const heads = Array.from(waitedFor.lanes.values(), (lane) => firstAfter(lane, after))
  for (let place = earliest(heads); place !== undefined; place = earliest(heads)) {
    const { arrival, calls, session } = place.parked
    yield { ...clientOf(state, session), operation: waitedFor.operations[calls[place.call]!.operation]![0], arrival }
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
