/**
 * The whole state of a manager, as plain data (S-1).
 *
 * No closures, promises or clocks: two engines that were given the same inputs hold equal states (I1).
 */
import type { Condition, Conditions } from "./Conditions.ts"
import type { CallInput, CancelFate, Grace, Outcome, Output, Rights, SessionId } from "./Inputs.ts"
import type { AnyKind } from "./Kind.ts"
import type { Client, Grant, GrantId, Operation } from "./Operation.ts"
import type { OrderedMap } from "./OrderedMap.ts"
import type { SequenceMap } from "./SequenceMap.ts"
import type { Touched } from "./Touched.ts"
import type { ObjectId } from "./Value.ts"

/** A request that waits (S-14). */
export interface Parked {
  readonly session: SessionId
  readonly sequence: number
  readonly guard: ReadonlyArray<GrantId>
  /** How many of the innermost holds of the guard end no earlier than this request (`Deadlock.ts`). */
  readonly stalls: number
  readonly calls: ReadonlyArray<CallInput>
  /** Order of arrival among all requests of this manager that wait. */
  arrival: number
  /** The index at which it began to wait, its own if that was a change (`Operation.enter`). */
  since: number
  /** Engine time at which it began to wait. */
  readonly parkedAt: number
  /** Engine time at which it is examined (`Operation.stuck`) or tried again (`Decision`). */
  deadline: number | undefined
  /** Where it stands: one place for each call that had to wait when the request was last tried, or before. */
  readonly places: Array<Place>
}

/** The place of a waiting request in a lane of an object: a node of a linked list, so that cancel is O(1) (S-13). */
export interface Place {
  readonly parked: Parked
  /** Position of the call that stands here. */
  readonly call: number
  lane: string
  readonly isRead: boolean
  /** What it waits for, if a change tells which places it may satisfy; else it is tried after every change. */
  readonly condition: Condition | undefined
  previous: Place | undefined
  next: Place | undefined
}

/**
 * A request whose reply is remembered until the client has acknowledged it (S-8). A session with a grace also remembers
 * refusals, replies of changes that changed nothing, of reads that have waited, and replies that bear handles: the request may
 * be sent again.
 */
export interface Answered {
  readonly sequence: number
  /** The index of its last change. */
  readonly index: number
  readonly outcome: Outcome
  /** How many indexes, up to `index`, to search for its grants; 0: it was granted nothing. */
  readonly granted: number
  /** Its session's `resumes` when it was told last: over one link it is told once. */
  link: number
}

/** Places of waiting requests in one lane, in order of arrival. */
export interface Lane {
  head: Place | undefined
  tail: Place | undefined
  /** How many of them are changes. */
  changes: number
}

/** One subscription to the changes of an object (S-29). */
export interface Watcher {
  readonly session: SessionId
  /** The sequence of the call that subscribed. */
  readonly sequence: number
  /** How many more events the client is ready to take. */
  credit: number
  /** A change was not told for want of credit: the next event is a reset. */
  lagged: boolean
}

/** One client. Its grants, parked requests, imports and subscriptions end with it (S-11). */
export interface Session {
  readonly id: SessionId
  readonly label: Client
  /** Absent: it ends with its link. */
  readonly grace: Grace | undefined
  /** Absent: an owner's, which may do everything. */
  readonly rights: Rights | undefined
  /** Engine time at which it ends because it has no link; absent: it has one. */
  deadline: number | undefined
  /** The number of its links before this one. */
  resumes: number
  lastSequence: number
  /** Requests that wait, by sequence, in the order in which they came to where they wait. */
  readonly parked: Map<number, Parked>
  /** Requests that changed something, until the client has their replies. */
  readonly answered: SequenceMap<Answered>
  /** About the bytes of these replies (`Replies.ts`). */
  answeredBytes: number
  /** Fates of cancelled requests that were undone, until the client has heard them. Only in a session with a grace. */
  readonly fates: Map<number, CancelFate>
  /** In order of acquisition. */
  readonly grants: Map<GrantId, Grant>
  /** How often each object's handle was given to this session and not dropped (S-24). */
  readonly imports: Map<ObjectId, number>
  /** The number of objects that it has made and that exist. */
  made: number
  /** Its client is too far behind with reading: changes are not kept for it, as for a watcher without credit (S-12). */
  isCongested: boolean
  /** Subscriptions by sequence. */
  readonly watches: Map<number, ObjectId>
}

/** The operations of a kind with their names, by position: a request names one by that. */
// oxlint-disable-next-line typescript/no-explicit-any -- only its kind's operations ever read a state, see AnyKind
export type Operations = ReadonlyArray<readonly [name: string, operation: Operation<any>]>

/** One shared object. */
export interface SharedObject {
  readonly id: ObjectId
  readonly kind: AnyKind
  /** The kind's, by position. */
  readonly operations: Operations
  readonly name: string | undefined
  /** The options on which all programs that open the name must agree, as canonical text (S-27). */
  readonly agreement: string
  /** The canonical form of its item schemas (S-26). */
  readonly fingerprint: string
  /** Lives until it is deleted, also without references: it was opened with initial values (S-27). */
  readonly keep: boolean
  /** The session that has made it. */
  readonly maker: SessionId
  // oxlint-disable-next-line typescript/no-explicit-any -- only `kind` ever reads it, see AnyKind
  readonly state: any
  readonly lanes: ReadonlyMap<string, Lane>
  /** Places that wait for a condition, once there is one. */
  conditions: Conditions<Place> | undefined
  /** Waiting requests with a call to this object, whether or not that call has a place in a lane. */
  waiting: number
  /** In order of acquisition. */
  readonly grants: Map<GrantId, Grant>
  /** Handles: imports of sessions, and values in states and parked calls. */
  references: number
  readonly watchers: Map<string, Watcher>
  /** Engine time of its last change, or of the last waiter that left. */
  changedAt: number
  /** Whether it is among those that this step has changed. */
  isTouched: boolean
}

/** Bounds that the engine itself enforces; defaults and reasons stand in `Limits.ts`. */
export interface EngineLimits {
  readonly objectsMax: number
  readonly objectsPerSessionMax: number
  readonly waitersPerObjectMax: number
  readonly watchersPerObjectMax: number
  readonly callsPerRequestMax: number
  readonly nameLengthMax: number
  readonly guardMax: number
  readonly traceEveryDrops: number
  readonly memoryBytesMax: number
  readonly inFlightBytesMax: number
}

/** The state of one manager. */
export interface EngineState {
  /** Grows at each start of the manager; the high half of every token (S-4). */
  epoch: number
  readonly limits: EngineLimits
  readonly kinds: ReadonlyMap<string, AnyKind>
  readonly operations: ReadonlyMap<AnyKind, Operations>
  /** The index of the last state change (I1). */
  index: number
  /** Time of the current turn in milliseconds. */
  now: number
  nextObject: ObjectId
  arrivals: number
  /** The id of the session that was opened last. */
  lastSession: SessionId
  readonly sessions: Map<SessionId, Session>
  readonly objects: OrderedMap<SharedObject>
  readonly names: Map<string, ObjectId>
  /** Waiting requests of several calls: an object that is removed may have a call among them without a place. */
  readonly joint: Set<Parked>
  /** The holds that a waiting request stalls, with that request (`Deadlock.ts`). */
  readonly stalled: Map<GrantId, Parked>
  /** Of all objects together: calls that wait, and grants. */
  readonly counts: { waiters: number; holders: number }
  /** Bytes of all objects, their values, and the values of waiting calls, about (`Memory.ts`). */
  bytes: number
  /** Grants that end by themselves, the first to end first (`Deadlines.ts`). */
  readonly deadlines: Array<Grant>
  /** Waiting requests that are examined or tried again, the first to be due first. */
  readonly examinations: Array<Parked>
  /** Sessions without a link, the first to end first. */
  readonly unlinked: Array<Session>
  /** Objects that lost their last reference, waiter or grant in this step. */
  readonly unreferenced: Set<ObjectId>
  /** Objects that lost a reference but not the last one: perhaps only a cycle holds them (S-23). */
  readonly suspects: Set<ObjectId>
  dropsSinceTrace: number
  /** Objects changed in this step, whose lanes are to be served. Empty between steps. */
  readonly touched: Touched<SharedObject>
  /** Outputs of the steps since the host last took them; they leave through one gate (S-3). */
  outputs: Array<Output>
}
