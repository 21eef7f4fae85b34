/**
 * Saving and loading a whole manager, as plain data.
 *
 * The data decide the manager's future together with the kinds and limits, which the program brings. They leave out
 * everything that follows from the rest: a lane is in the order of arrival, and counts, names and deadlines follow from
 * objects, sessions and grants. Every order that decides something is kept. An operation is saved by name, because its
 * position may be another one in the next release.
 *
 * Loading refuses malformed data, dangling ids, and a state in which an invariant does not hold. It returns a manager in
 * the saved state or a reason, and never a part of a manager.
 */
import * as Admission from "./Admission.ts"
import { create } from "./Creation.ts"
import * as Deadlock from "./Deadlock.ts"
import * as Directory from "./Directory.ts"
import { Engine, type EngineOptions } from "./Engine.ts"
import * as Format from "./Format.ts"
import * as GrantRecords from "./GrantRecords.ts"
import type { CallInput, CancelFate, Grace, Outcome, Rights, SessionId } from "./Inputs.ts"
import * as Invariants from "./Invariants.ts"
import * as Links from "./Links.ts"
import type { Client, Grant } from "./Operation.ts"
import * as References from "./References.ts"
import * as Replies from "./Replies.ts"
import * as Sessions from "./Sessions.ts"
import type { Answered, EngineState, Parked, Place, Session, SharedObject, Watcher } from "./State.ts"
import { directory, isCell, type ObjectId } from "./Value.ts"
import * as Waiting from "./Waiting.ts"
import * as Watchers from "./Watchers.ts"

/** Grows whenever `manager` below changes: data of another version are not loaded. */
const version = 6

/**
 * Saves the state of a manager between two steps. Its outputs must have been taken, because they are not saved: otherwise
 * it throws.
 */
export const save = (state: EngineState): Format.Json => {
  if (state.outputs.length + state.touched.size + state.unreferenced.size > 0) {
    throw new Error("a manager is saved between two steps, when its outputs have been taken")
  }
  return manager.save({
    ...state,
    version,
    sessions: [...state.sessions.values()].map((session) => savedSession(state, session)),
    objects: [...state.objects.values()].filter(({ id }) => id !== directory).map(savedObject),
    watchers: [...state.objects.get(directory)!.watchers.values()],
    grants: [...state.sessions.values()].flatMap(({ grants }) => [...grants.values()]).sort((a, b) => a.id - b.id)
  })
}

/** Loads a manager in the saved state, or returns the reason for which there is none. */
export const load = (options: Omit<EngineOptions, "epoch">, data: unknown): Engine | Format.Malformed => {
  const saved = manager.load(data)
  if (saved instanceof Format.Malformed) return saved
  const engine = new Engine({ ...options, epoch: saved.epoch })
  const malformed = restore(engine, saved)
  if (malformed !== undefined) return malformed
  const [violation] = Invariants.violations(engine)
  return violation === undefined ? engine : refused(`is no state of a manager. ${violation}`)
}

// ---------------------------------------------------------------------------------------------------------------
// formats
// ---------------------------------------------------------------------------------------------------------------

type SavedCall = Omit<CallInput, "operation"> & { readonly operation: string }

type SavedParked = Omit<Parked, "session" | "calls" | "places"> & {
  readonly calls: ReadonlyArray<SavedCall>
  readonly places: ReadonlyArray<Pick<Place, "call" | "lane">>
}

type Success = Extract<Outcome, { readonly _tag: "Success" }>
type Failure = Extract<Outcome, { readonly _tag: "Failure" }>

type SavedSession =
  & Pick<
    Session,
    "id" | "label" | "grace" | "rights" | "deadline" | "resumes" | "lastSequence" | "fates" | "imports" | "isCongested"
  >
  & {
    readonly parked: ReadonlyArray<SavedParked>
    readonly answered: ReadonlyArray<Answered>
  }

type SavedObject = Pick<SharedObject, "id" | "name" | "agreement" | "fingerprint" | "keep" | "maker" | "changedAt"> & {
  readonly kind: string
  readonly version: number
  readonly state: Format.Json
  readonly watchers: ReadonlyArray<Watcher>
}

type Saved =
  & Pick<
    EngineState,
    "epoch" | "index" | "now" | "nextObject" | "lastSession" | "arrivals" | "dropsSinceTrace" | "suspects"
  >
  & {
    readonly version: typeof version
    readonly sessions: ReadonlyArray<SavedSession>
    readonly objects: ReadonlyArray<SavedObject>
    /** Of the directory. */
    readonly watchers: ReadonlyArray<Watcher>
    readonly grants: ReadonlyArray<Grant>
  }

const { argument, boolean, count, finite, integer, list, literal, map, optional, struct, tagged, word } = Format

const parked = struct<SavedParked>({
  sequence: count,
  guard: list(count),
  stalls: count,
  calls: list(struct<SavedCall>({ object: count, operation: word, args: list(argument) })),
  arrival: count,
  since: count,
  parkedAt: finite,
  deadline: optional(finite),
  places: list(struct({ call: count, lane: word }))
})

const answered = struct<Answered>({
  sequence: count,
  index: count,
  outcome: tagged<Outcome>({
    Success: struct<Success>({ _tag: literal("Success"), reply: list(argument) }),
    Failure: struct<Failure>({ _tag: literal("Failure"), error: word, details: list(argument) })
  }),
  granted: count,
  link: count
})

const session = struct<SavedSession>({
  id: count,
  label: struct<Client>({ name: word, pid: finite }),
  grace: optional(struct<Grace>({ milliseconds: finite, secretHash: word })),
  rights: optional(
    struct<Rights>({ role: literal("client", "observer"), names: optional<ReadonlyArray<string>>(list(word)) })
  ),
  deadline: optional(finite),
  resumes: count,
  lastSequence: count,
  parked: list(parked),
  answered: list(answered),
  fates: map(count, literal<CancelFate>("withdrawn", "compensated", "stands")),
  imports: map(count, count),
  isCongested: boolean
})

const watchers = list(struct<Watcher>({ session: count, sequence: count, credit: integer, lagged: boolean }))

const object = struct<SavedObject>({
  id: count,
  kind: word,
  version: count,
  name: optional(word),
  agreement: word,
  fingerprint: word,
  keep: boolean,
  maker: count,
  changedAt: finite,
  state: Format.json,
  watchers
})

const manager = struct<Saved>({
  version: literal(version),
  epoch: finite,
  index: count,
  now: finite,
  nextObject: count,
  lastSession: count,
  arrivals: count,
  dropsSinceTrace: count,
  sessions: list(session),
  objects: list(object),
  watchers,
  grants: list(struct<Grant>({
    id: count,
    session: count,
    sequence: count,
    object: count,
    byReceipt: boolean,
    grantedAt: finite,
    deadline: optional(finite)
  })),
  suspects: Format.set(count)
})

// ---------------------------------------------------------------------------------------------------------------
// saving
// ---------------------------------------------------------------------------------------------------------------

const savedSession = ({ objects }: EngineState, session: Session): SavedSession => {
  const savedCall = ({ args, object, operation }: CallInput): SavedCall => ({
    args,
    object,
    operation: objects.get(object)!.operations[operation]![0]
  })
  const parked = Array.from(session.parked.values(), (request) => ({ ...request, calls: request.calls.map(savedCall) }))
  return { ...session, parked, answered: session.answered.values() }
}

const savedObject = ({ kind, state, watchers, ...object }: SharedObject): SavedObject => ({
  ...object,
  kind: kind.name,
  version: kind.version,
  state: kind.format.save(state),
  watchers: [...watchers.values()]
})

// ---------------------------------------------------------------------------------------------------------------
// loading
// ---------------------------------------------------------------------------------------------------------------

type Refused = Format.Malformed | undefined

const refused = (issue: string): Format.Malformed => new Format.Malformed(issue)

/** Restores items in order, up to the first that is refused. */
const each = <A>(name: string, items: ReadonlyArray<A>, restore: (item: A, i: number) => Refused): Refused => {
  for (let i = 0; i < items.length; i++) {
    const malformed = restore(items[i]!, i)
    if (malformed !== undefined) return malformed.at(i).at(name)
  }
  return undefined
}

/** Fills a new engine: first sessions and objects, then everything that refers to them. */
const restore = (engine: Engine, saved: Saved): Refused => {
  const { state } = engine
  const {
    arrivals,
    dropsSinceTrace,
    grants,
    index,
    lastSession,
    nextObject,
    now,
    objects,
    sessions,
    suspects,
    watchers
  } = saved
  Object.assign(state, { arrivals, dropsSinceTrace, index, lastSession, nextObject, now })
  const waiting: Array<Waiter> = []
  return each("sessions", sessions, (session, i) => restoreSession(state, session, sessions[i - 1]?.id ?? 0)) ??
    each("objects", objects, (object, i) => restoreObject(state, object, objects[i - 1]?.id ?? directory)) ??
    each("objects", objects, ({ id, watchers }) => {
      const object = state.objects.get(id)!
      return retainValues(state, object) ?? restoreWatchers(state, object, watchers)
    }) ??
    restoreWatchers(state, state.objects.get(directory)!, watchers) ??
    each("sessions", sessions, (session) => restoreContents(state, session, waiting)) ??
    restoreLanes(state, waiting)?.at("sessions") ??
    each("grants", grants, (grant, i) => restoreGrant(state, grant, grants[i - 1]?.id ?? 0)) ??
    each("suspects", [...suspects], (id) => {
      state.suspects.add(id)
      return sharedObject(state, id) === undefined ? notThere : undefined
    })
}

/** An object that can be held and removed, as the directory cannot. */
const sharedObject = ({ objects }: EngineState, id: ObjectId): SharedObject | undefined =>
  id === directory ? undefined : objects.get(id)

const notThere = refused("names an object that is not there")
const noSession = refused("names a session that is not there")

const restoreSession = (state: EngineState, saved: SavedSession, previous: SessionId): Refused => {
  const { deadline, grace, id, isCongested, label, lastSequence, resumes, rights } = saved
  if (id <= previous || id > state.lastSession) return refused("is out of order").at("id")
  if (grace === undefined && deadline !== undefined) {
    return refused("is that of a session without a grace").at("deadline")
  }
  const session = Sessions.add(state, id, label, grace, rights)
  Object.assign(session, { lastSequence, isCongested, resumes })
  if (deadline !== undefined) Links.endAt(state, session, deadline)
  return undefined
}

const restoreObject = (state: EngineState, saved: SavedObject, previous: ObjectId): Refused => {
  const { id, kind: name, version } = saved
  if (id <= previous || id >= state.nextObject) return refused("is out of order").at("id")
  if (saved.maker > state.lastSession) return refused("names a session that was not there").at("maker")
  const kind = name === Directory.kind.name ? undefined : state.kinds.get(name)
  if (kind === undefined) return refused(`names ${name}, which this manager does not know`).at("kind")
  if (version !== kind.version) {
    return refused(`is ${version}, and this manager knows version ${kind.version} of ${name}`).at("version")
  }
  if (kind.fingerprint !== undefined && kind.fingerprint !== saved.fingerprint) {
    return refused(`is that of another definition of ${name}`).at("fingerprint")
  }
  if (saved.name !== undefined && state.names.has(saved.name)) return refused("names an earlier object").at("name")
  const loaded: unknown = kind.format.load(saved.state)
  if (loaded instanceof Format.Malformed) return loaded.at("state")
  create(state, { ...saved, kind, state: loaded })
  return undefined
}

/** Retains the values of an object. */
const retainValues = (state: EngineState, { kind, state: value }: SharedObject): Refused => {
  for (const cell of kind.values(value)) {
    if (!areIds(state, cell.handles)) return notThere.at("state")
    References.retain(state, cell)
  }
  return undefined
}

const restoreWatchers = (state: EngineState, object: SharedObject, watchers: ReadonlyArray<Watcher>): Refused =>
  each("watchers", watchers, (watcher) => {
    const session = state.sessions.get(watcher.session)
    if (session === undefined) return noSession
    if (object.kind.snapshot === undefined) return refused(`watches a ${object.kind.name}`)
    if (session.watches.has(watcher.sequence)) return refused("has the sequence of an earlier one")
    Watchers.join(object, session, watcher)
    return undefined
  })

/** Whether these are ids of objects that exist or existed: values and imports may name removed objects. */
const areIds = ({ nextObject }: EngineState, ids: Iterable<ObjectId>): boolean => {
  for (const id of ids) if (id === directory || id >= nextObject) return false
  return true
}

/** Restores the imports and the requests of a session. */
const restoreContents = (
  state: EngineState,
  { answered, fates, id, imports, parked }: SavedSession,
  waiting: Array<Waiter>
): Refused => {
  const session = state.sessions.get(id)!
  if (!areIds(state, imports.keys())) return notThere.at("imports")
  for (const [id, times] of imports) {
    session.imports.set(id, times)
    const object = state.objects.get(id)
    if (object !== undefined) object.references += times
  }
  for (const [sequence, fate] of fates) session.fates.set(sequence, fate)
  let last = -1
  return each("answered", answered, (request) => {
    if (request.sequence <= last) return refused("does not come after the request before it")
    last = request.sequence
    Replies.add(session, request)
    return undefined
  }) ?? each("parked", parked, (saved) => {
    if (session.parked.has(saved.sequence) || session.answered.get(saved.sequence) !== undefined) {
      return refused("has the sequence of an earlier request")
    }
    return restoreParked(state, session, saved, waiting)
  })
}

/** A waiting request, and its places to be. */
interface Waiter {
  readonly session: Session
  readonly parked: Parked
  readonly places: SavedParked["places"]
  readonly deadline: Parked["deadline"]
}

/** Puts a waiting request among the others of its session. It joins its lanes when all waiting requests are known. */
const restoreParked = (
  state: EngineState,
  session: Session,
  saved: SavedParked,
  waiting: Array<Waiter>
): Refused => {
  const { arrival, deadline, guard, parkedAt, places, sequence, since, stalls } = saved
  const objects = saved.calls.map(({ object }) => state.objects.get(object))
  const calls = saved.calls.map(({ args, object, operation }, i): CallInput => ({
    object,
    operation: objects[i]?.operations.findIndex(([name]) => name === operation) ?? -1,
    args
  }))
  const malformed = each("calls", calls, ({ args, operation }, i) => {
    const object = objects[i]
    if (object === undefined) return notThere
    const named = object.operations[operation]
    if (named === undefined) return refused(`is no operation of a ${object.kind.name}`).at("operation")
    const mismatch = Admission.mismatch(named[1], args)
    if (mismatch !== undefined) return refused(`must be ${String(mismatch.details[0])}`).at("args")
    return args.every((argument) => !isCell(argument) || areIds(state, argument.handles))
      ? undefined
      : notThere.at("args")
  })
  if (malformed !== undefined) return malformed
  const joint = calls.length === 1 ? undefined : Admission.jointRefusal(state, calls, objects)
  if (joint !== undefined) return refused(`cannot be: ${joint.details.join(" ")}`).at("calls")
  const stands = places.length > 0 && new Set(places.map(({ call }) => call)).size === places.length &&
    places.every(({ call, lane }) => objects[call]?.lanes.has(lane))
  if (!stands) return refused("must be a lane for one of its calls or more").at("places")
  if (stalls > guard.length) return refused("are more than the holds of the guard").at("stalls")
  const parked: Parked = {
    session: session.id,
    sequence,
    guard,
    stalls,
    calls,
    arrival,
    since,
    parkedAt,
    deadline: undefined,
    places: []
  }
  session.parked.set(sequence, parked)
  waiting.push({ session, parked, places, deadline })
  return undefined
}

const restoreLanes = (state: EngineState, waiting: Array<Waiter>): Refused => {
  let last = 0
  for (const { deadline, parked, places, session } of waiting.sort((a, b) => a.parked.arrival - b.parked.arrival)) {
    if (parked.arrival <= last || parked.arrival > state.arrivals) return refused("have requests out of order")
    last = parked.arrival
    if (Deadlock.stalledBy(parked).some((id) => state.stalled.has(id))) return refused("stall one hold twice")
    Waiting.park(state, session, parked)
    Waiting.examineAt(state, parked, deadline)
    for (const { call, lane } of places) {
      const { object: id, operation } = parked.calls[call]!
      const object = state.objects.get(id)!
      Waiting.join(object, parked, call, lane, object.operations[operation]![1])
    }
  }
  return undefined
}

const restoreGrant = (state: EngineState, grant: Grant, previous: number): Refused => {
  const session = state.sessions.get(grant.session)
  const object = sharedObject(state, grant.object)
  if (grant.id <= previous || grant.id > state.index) return refused("is out of order").at("id")
  if (session === undefined) return noSession
  if (object === undefined) return notThere
  GrantRecords.bind(state, session, object, grant)
  return undefined
}
