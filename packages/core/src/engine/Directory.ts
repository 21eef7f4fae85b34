/**
 * The directory: the one object that is always there, by which shared objects are opened, deleted and inspected. These are
 * operations like any other.
 */
import { create } from "./Creation.ts"
import { Malformed } from "./Format.ts"
import type { SessionId } from "./Inputs.ts"
import * as Inspection from "./Inspection.ts"
import { type AnyKind, kindOf } from "./Kind.ts"
import * as Links from "./Links.ts"
import * as Memory from "./Memory.ts"
import { answer, isRefusal, operationsOf, ready, type Refusal, refuse } from "./Operation.ts"
import { firstPage } from "./Page.ts"
import { anything, count, named, type Options, type Parameter, word, wordOrNothing } from "./Parameter.ts"
import { remove } from "./Removal.ts"
import type { EngineState, SharedObject } from "./State.ts"
import { type Argument, type Cell, directory, isCell, type ObjectId } from "./Value.ts"

/** A page delays other clients for about a millisecond. */
const pageBytesMax = 192 * 1024

const { change, read } = operationsOf<EngineState>()

/**
 * The rows behind a key, page by page. Its arguments are the key of the last row of the page before, or 0, and the bytes
 * that the page may have. Replies with 1 if more rows follow, else 0, and the rows as JSON.
 */
const pages = (rowsAfter: (state: EngineState, key: number) => Iterable<object>) =>
  read([count, count], (state, [key, bytesMax]) => page(rowsAfter(state, key), bytesMax))

/** The same for rows of one object, whose id is the first argument. */
const pagesOfObject = (rowsAfter: (state: EngineState, object: ObjectId, key: number) => Iterable<object>) =>
  read([count, count, count], (state, [object, key, bytesMax]) => page(rowsAfter(state, object, key), bytesMax))

const page = (rows: Iterable<object>, bytesMax: number): readonly [more: number, ...rows: ReadonlyArray<string>] => {
  const { isLast, page } = firstPage(lines(rows), 1, Math.min(bytesMax, pageBytesMax))
  return [isLast ? 0 : 1, ...page]
}

function* lines(rows: Iterable<object>): Generator<string> {
  for (const row of rows) yield JSON.stringify(row)
}

const operations = {
  /**
   * Get or create (S-27): the kind, the fingerprint of its item schemas, the name or nothing, how many options follow,
   * the options as names and values, the initial values. Replies with the handle, and 1 if the object was created.
   */
  open: change({
    parameters: [word, word, wordOrNothing, count],
    rest: [anything],
    // An observer opens what is there (`Permission.ts`).
    observes: true,
    decide: (state, [kindName, fingerprint, name, ...rest], { session }) => {
      const kind = state.kinds.get(kindName)
      if (kind === undefined || kind.name === "Directory") return refuse("UnknownKind", kindName)
      if (kind.fingerprint !== undefined && kind.fingerprint !== fingerprint) {
        return refuse("SchemaMismatch", kind.fingerprint, fingerprint)
      }
      const { options, values } = creation(rest)
      const invalid = invalidOption(kind, options)
      if (invalid !== undefined) return invalid
      const existing = name === null ? undefined : state.objects.get(state.names.get(name) ?? -1)
      if (existing === undefined) {
        const created = { kind, name: name ?? undefined, fingerprint, agreement: agreementOf(options) }
        return refusalToCreate(state, session, created, kind.initial(options, values)) ?? ready
      }
      if (existing.kind !== kind) return refuse("KindMismatch", existing.kind.name, kindName)
      if (existing.fingerprint !== fingerprint) return refuse("SchemaMismatch", existing.fingerprint, fingerprint)
      const agreement = agreementOf(options)
      if (existing.agreement !== agreement) return refuse("OptionsMismatch", existing.agreement, agreement)
      return answer(handle(existing), 0)
    },
    apply: (state, [kindName, fingerprint, name, ...rest], at) => {
      const kind = state.kinds.get(kindName)!
      const { options, values } = creation(rest)
      const created = create(state, {
        id: state.nextObject++,
        kind,
        name: name ?? undefined,
        agreement: agreementOf(options),
        fingerprint,
        keep: values.length > 0,
        maker: at.session,
        state: kind.initial(options, values)
      })
      for (const value of kind.values(created.state)) at.retain(value)
      at.changed([created.id, kindName, name])
      return [handle(created), 1] as const
    }
  }),
  /** Removes an object. Waiting calls fail with `ObjectDeleted`; old handles never rebind (S-27). */
  delete: change({
    parameters: [count],
    decide: (state, [object]) => object === directory || !state.objects.has(object) ? refuse("ObjectNotFound") : ready,
    apply: (state, [object]) => {
      remove(state, state.objects.get(object)!)
      return []
    }
  }),
  /** Has the host end a session, whose holds so pass on; replies with 1, or with 0 if there is none. */
  endSession: change({
    parameters: [named("session", count)],
    decide: (state, [session]) => state.sessions.has(session) ? ready : answer(0),
    apply: (state, [session], { client }) => {
      const ended = state.sessions.get(session)!
      // The host ends it with its link. Where there is none, the time ends it.
      if (ended.deadline !== undefined) Links.endAt(state, ended, state.now)
      else {state.outputs.push({
          _tag: "Ended",
          session,
          reason: `${client.name} (pid ${client.pid}) ended this session`
        })}
      return [1] as const
    }
  }),
  /** Has the host end the manager. */
  shutdown: change({
    parameters: [],
    apply: (state, _, { session }) => {
      state.outputs.push({ _tag: "Shutdown", session })
      return []
    }
  }),
  /** Sessions, objects, waiters and holders. */
  counts: read([], (state) => {
    const { holders, objects, sessions, waiters } = Inspection.counts(state)
    return [sessions, objects, waiters, holders] as const
  }),
  /** The bytes that the reply may have. Replies with an `Inspection` as JSON, or with nothing if it is too large. */
  inspect: read([count], (state, [bytesMax]) => [Inspection.snapshot(state, bytesMax)] as const),
  sessions: pages(Inspection.sessionsAfter),
  objects: pages(Inspection.objectsAfter),
  details: pages(Inspection.detailsAfter),
  holders: pagesOfObject(Inspection.holdersAfter),
  waiters: pagesOfObject(Inspection.waitersAfter),
  /** Replies with the object of a name as JSON; with nothing if there is none. */
  find: read([word], (state, [name]): readonly [] | readonly [row: string] => {
    const found = Inspection.named(state, name)
    return found === undefined ? [] : [JSON.stringify(found)]
  })
}

/** The kind of the directory. */
export const kind = kindOf<EngineState>()({
  name: "Directory",
  lanes: [],
  operations,
  initial: () => refuse("InvalidOptions", "there is one directory"),
  pristine: () => false,
  values: () => [],
  // A watcher begins with the pages of `objects`, because a snapshot of all objects has no bound.
  snapshot: () => [],
  version: 1,
  format: { save: () => null, load: () => new Malformed("is no state: that of the directory is the manager's") },
  check: () => []
})

/** Adds the directory to a new manager. It is never removed. */
export const addTo = (state: EngineState): void => {
  const root = { id: directory, kind, name: undefined, agreement: "", fingerprint: "", keep: true, maker: 0, state }
  create(state, root).references = 1
}

const creation = (
  rest: ReadonlyArray<Argument>
): { readonly options: Options; readonly values: ReadonlyArray<Cell> } => {
  const size = Math.min(Number(rest[0]) * 2, rest.length)
  const names = rest.slice(1, 1 + size).filter((_, i) => i % 2 === 0)
  const options = Object.fromEntries(names.map((name, i) => [String(name), rest[2 + i * 2] ?? null]))
  return { options, values: rest.slice(1 + size).filter(isCell) }
}

/** Why a kind cannot be made with these options; absent: it can. */
const invalidOption = (
  { name: kind, options: parameters }: AnyKind,
  options: Options
): Refusal<"InvalidOptions"> | undefined => {
  for (const [name, parameter] of Object.entries<Parameter<Argument>>(parameters ?? {})) {
    const option = options[name]
    if (!parameter.is(option)) {
      return refuse("InvalidOptions", `${name} must be ${parameter.expected}, not ${String(option)}`)
    }
  }
  const unknown = parameters === undefined
    ? undefined
    : Object.keys(options).find((name) => !Object.hasOwn(parameters, name))
  return unknown === undefined ? undefined : refuse("InvalidOptions", `${kind} has no option ${unknown}`)
}

/** Options as people read them: what an `OptionsMismatch` shows of both sides. */
const agreementOf = (options: Options): string =>
  Object.entries(options).map(([name, value]) => `${name} ${String(value)}`).join(", ")

const refusalToCreate = (
  state: EngineState,
  session: SessionId,
  created: Pick<SharedObject, "kind" | "name" | "fingerprint" | "agreement">,
  initial: unknown
): Refusal<"LimitExceeded" | "InvalidOptions"> | undefined => {
  const { nameLengthMax, objectsMax, objectsPerSessionMax } = state.limits
  const { kind, name = "" } = created
  if (name.length > nameLengthMax) return refuse("LimitExceeded", "nameLengthMax", nameLengthMax)
  if (state.objects.size > objectsMax) return refuse("LimitExceeded", "objectsMax", objectsMax)
  if (state.sessions.get(session)!.made >= objectsPerSessionMax) {
    return refuse("LimitExceeded", "objectsPerSessionMax", objectsPerSessionMax)
  }
  // What `Kind.initial` refuses with.
  if (isRefusal(initial)) return initial as Refusal<"InvalidOptions">
  return Memory.refusal(state, Memory.ofObject({ ...created, state: initial }) + Memory.ofValues(kind.values(initial)))
}

const handle = (object: SharedObject): Cell => ({ text: JSON.stringify(object.kind.name), handles: [object.id] })
