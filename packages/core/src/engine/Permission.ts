/**
 * Permission: whether a session may make a call. It is decided here alone, from the state.
 *
 * | role     | its sessions may                                                             |
 * | -------- | ---------------------------------------------------------------------------- |
 * | owner    | do everything                                                                |
 * | client   | open, read and change objects; remove those whose names its key has          |
 * | observer | open objects that exist, read them, watch them, and inspect the manager      |
 *
 * The key of a session may be for names only: then the session uses the objects with these names, those whose handles it
 * was given, and those that a session of equal rights has made, as the refs of a process and its workers are. Ids are no
 * secret, so a handle counts only if the manager has given it to this session.
 */
import type { Rights } from "./Inputs.ts"
import { type Operation, type Refusal, refuse } from "./Operation.ts"
import type { EngineState, Session, SharedObject } from "./State.ts"
import { type Argument, directory, isCell } from "./Value.ts"

/** Why a session may not make a call; absent: it may. Its arguments may be any. */
export const refusal = (
  state: EngineState,
  session: Session,
  object: SharedObject,
  [name, operation]: readonly [name: string, operation: Operation<unknown>],
  args: ReadonlyArray<Argument>
): Refusal<"NotPermitted"> | undefined => {
  const { rights } = session
  if (rights === undefined) return undefined
  const missing = object.id === directory ? ofDirectory(state, rights, name, operation, args) : undefined
  if (missing !== undefined) return notPermitted(rights, missing)
  if (rights.role === "observer" && !operation.observes) return notPermitted(rights, "the role client or owner")
  return (operation.settles ? undefined : ofObject(state, session, object)) ?? ofHandles(state, session, args)
}

/** Why a session may use none of the operations of an object; absent: it may use those of its role. */
export const ofObject = (
  { sessions }: EngineState,
  { imports, rights }: Session,
  { id, maker, name }: SharedObject
): Refusal<"NotPermitted"> | undefined => {
  if (rights?.names === undefined || id === directory) return undefined
  if (imports.has(id) || has(rights, name) || areSame(sessions.get(maker)?.rights, rights)) return undefined
  return notPermitted(rights, otherName(rights))
}

/** A handle in a value is a permission, so a session passes on only those that it may use. */
const ofHandles = (
  state: EngineState,
  session: Session,
  args: ReadonlyArray<Argument>
): Refusal<"NotPermitted"> | undefined => {
  if (session.rights?.names === undefined) return undefined
  for (const argument of args) {
    if (!isCell(argument)) continue
    for (const handle of argument.handles) {
      const object = state.objects.get(handle)
      const refused = object && ofObject(state, session, object)
      if (refused !== undefined) return refused
    }
  }
  return undefined
}

/** What rights lack for a call to the directory; absent: nothing. */
const ofDirectory = (
  { names, objects }: EngineState,
  rights: Rights,
  operation: string,
  { access }: Operation<unknown>,
  args: ReadonlyArray<Argument>
): string | undefined => {
  if (access === "read") return undefined
  if (operation === "open") {
    const name = args[2]
    if (typeof name === "string" && !has(rights, name)) return otherName(rights)
    const isNew = typeof name !== "string" || !names.has(name)
    return rights.role === "observer" && isNew ? "the role client or owner, because the object is not there" : undefined
  }
  if (operation !== "delete" || rights.role === "observer") return "the role owner"
  const name = objects.get(Number(args[0]))?.name
  return rights.names !== undefined && has(rights, name) ? undefined : "the role owner, or a key for this name"
}

/** Whether rights are for this name. */
const has = ({ names }: Rights, name: string | undefined): boolean =>
  names === undefined || name !== undefined && names.some((prefix) => name.startsWith(prefix))

const otherName = ({ names = [] }: Rights): string =>
  `another key, because its own is for names that begin with ${
    names.map((prefix) => JSON.stringify(prefix)).join(" or ")
  }`

const notPermitted = ({ role }: Rights, missing: string): Refusal<"NotPermitted"> =>
  refuse("NotPermitted", role, missing)

/** Whether two sessions may do the same. */
export const areSame = (left: Rights | undefined, right: Rights | undefined): boolean =>
  left?.role === right?.role && JSON.stringify(left?.names) === JSON.stringify(right?.names)
