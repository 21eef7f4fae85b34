/**
 * The directory: the one object that is always there, by which shared objects are opened, deleted and looked at. These
 * are operations like any other.
 */
import { create } from "./Creation.ts"
import { Malformed } from "./Format.ts"
import { type AnyKind, kindOf } from "./Kind.ts"
import * as Lane from "./Lane.ts"
import { answer, isRefusal, operationsOf, ready, type Refusal, refuse } from "./Operation.ts"
import { anything, count, type Options, type Parameter, word, wordOrNothing } from "./Parameter.ts"
import { remove } from "./Removal.ts"
import type { EngineState, SharedObject } from "./State.ts"
import { type Argument, type Cell, cell, directory, isCell } from "./Value.ts"

/** What `inspect` tells: a snapshot of one instant. */
export interface Inspection {
  readonly epoch: number
  readonly index: number
  readonly sessions: ReadonlyArray<{
    readonly id: number
    readonly name: string
    readonly pid: number
    readonly waiting: number
    readonly holding: number
  }>
  readonly objects: ReadonlyArray<{
    readonly id: number
    readonly kind: string
    readonly name: string | null
    readonly references: number
    readonly watchers: number
    readonly waiters: ReadonlyArray<{ readonly session: number; readonly pid: number; readonly operation: string }>
    readonly holders: ReadonlyArray<
      { readonly session: number; readonly pid: number; readonly name: string; readonly token: number }
    >
  }>
  readonly counts: {
    readonly sessions: number
    readonly objects: number
    readonly waiters: number
    readonly holders: number
  }
}

const { change, read } = operationsOf<EngineState>()

const operations = {
  /**
   * Get or create (S-27): the kind, the fingerprint of its item schemas, the name or nothing, how many options follow,
   * the options as names and values, the initial values. Replies with the handle, and 1 if the object was created.
   */
  open: change({
    parameters: [word, word, wordOrNothing, count],
    rest: [anything],
    decide: (state, [kindName, fingerprint, name, ...rest]) => {
      const kind = state.kinds.get(kindName)
      if (kind === undefined || kind.name === "Directory") return refuse("UnknownKind", kindName)
      const { options, values } = creation(rest)
      const invalid = invalidOption(kind, options)
      if (invalid !== undefined) return invalid
      const existing = name === null ? undefined : state.objects.get(state.names.get(name) ?? -1)
      if (existing === undefined) return refusalToCreate(state, name, kind.initial(options, values)) ?? ready
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
        state: kind.initial(options, values)
      })
      for (const value of kind.values(created.state)) at.retain(value)
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
  /** Objects, holders, waiters, sessions and counts, as JSON. */
  inspect: read([], (state) => [cell(JSON.stringify(describe(state)))] as const)
}

/** The kind of the directory. */
export const kind = kindOf<EngineState>()({
  name: "Directory",
  lanes: [],
  operations,
  initial: () => refuse("InvalidOptions", "there is one directory"),
  pristine: () => false,
  values: () => [],
  version: 1,
  format: { save: () => null, load: () => new Malformed("is no state: that of the directory is the manager's") },
  check: () => []
})

/** Adds the directory to a new manager. It is never removed. */
export const addTo = (state: EngineState): void => {
  const root = { id: directory, kind, name: undefined, agreement: "", fingerprint: "", keep: true, state }
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
  name: string | null,
  initial: unknown
): Refusal<"LimitExceeded" | "InvalidOptions"> | undefined => {
  const { nameLengthMax, objectsMax } = state.limits
  if (name !== null && name.length > nameLengthMax) return refuse("LimitExceeded", "nameLengthMax", nameLengthMax)
  if (state.objects.size > objectsMax) return refuse("LimitExceeded", "objectsMax", objectsMax)
  // What `Kind.initial` refuses with.
  return isRefusal(initial) ? initial as Refusal<"InvalidOptions"> : undefined
}

const handle = (object: SharedObject): Cell => ({ text: JSON.stringify(object.kind.name), handles: [object.id] })

const describe = (state: EngineState): Inspection => {
  const { epoch, grants, index, objects, sessions } = state
  return {
    epoch,
    index,
    sessions: [...sessions.values()].map((session) => ({
      id: session.id,
      name: session.label.name,
      pid: session.label.pid,
      waiting: session.parked,
      holding: session.grants.size
    })),
    objects: [...objects.values()].filter((object) => object.id !== directory).map((object) => ({
      id: object.id,
      kind: object.kind.name,
      name: object.name ?? null,
      references: object.references,
      watchers: object.watchers.size,
      waiters: [...object.lanes.values()].flatMap((lane) => [...Lane.places(lane)]).map(({ call, parked }) => ({
        session: parked.session,
        pid: sessions.get(parked.session)!.label.pid,
        operation: object.operations[parked.calls[call]!.operation]![0]
      })),
      holders: [...grants.values()].filter((grant) => grant.object === object.id).map((grant) => ({
        session: grant.session,
        pid: sessions.get(grant.session)!.label.pid,
        name: sessions.get(grant.session)!.label.name,
        token: grant.id
      }))
    })),
    counts: {
      sessions: sessions.size,
      objects: objects.size - 1,
      waiters: [...objects.values()].reduce((sum, object) => sum + object.waiting, 0),
      holders: grants.size
    }
  }
}
