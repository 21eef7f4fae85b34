/**
 * Admission: whether the kinds may decide a request. Its guard, its arguments, the handles in them, and whether its
 * calls can take effect together.
 */
import type { CallInput } from "./Inputs.ts"
import { type GrantId, type Operation, type Refusal, refuse } from "./Operation.ts"
import { issueOf } from "./Parameter.ts"
import type { EngineState, Session, SharedObject } from "./State.ts"
import { type Argument, directory, isCell } from "./Value.ts"

/** Why calls cannot take effect together; absent: they can. `objects` are those of the calls. */
export const jointRefusal = (
  { limits: { callsPerRequestMax } }: EngineState,
  calls: ReadonlyArray<CallInput>,
  objects: ReadonlyArray<SharedObject | undefined>
): Refusal | undefined => {
  if (calls.length === 0) return refuse("InvalidArguments", "a request without a call")
  if (calls.length > callsPerRequestMax) return refuse("LimitExceeded", "callsPerRequestMax", callsPerRequestMax)
  for (let i = 0; i < calls.length; i++) {
    const { object, operation } = calls[i]!
    // Opening and deleting would change what was decided for others.
    if (object === directory || isChangedBefore(calls, objects, i)) {
      return refuse("InvalidArguments", "calls together must change distinct shared objects, and read each before")
    }
    // What is not there is refused by its call.
    const named = objects[i]?.operations[operation]
    if (named?.[1].enter !== undefined) {
      return refuse("InvalidArguments", `${named[0]} cannot be called together with others: to wait changes its object`)
    }
  }
  return undefined
}

/** Whether a call before this one changes its object. Calls are few: to compare them costs less than a set. */
const isChangedBefore = (
  calls: ReadonlyArray<CallInput>,
  objects: ReadonlyArray<SharedObject | undefined>,
  i: number
): boolean => {
  const object = objects[i]
  if (object === undefined) return false
  for (let before = 0; before < i; before++) {
    if (objects[before] !== object) continue
    const access = object.operations[calls[before]!.operation]?.[1].access
    if (access !== undefined && access !== "read") return true
  }
  return false
}

/** Why a call cannot be admitted; absent: it can. */
export const refusal = (
  state: EngineState,
  session: Session,
  operation: Operation<unknown>,
  args: ReadonlyArray<Argument>,
  guard: ReadonlyArray<GrantId>
): Refusal | undefined => {
  if (operation.guarded && guard.length > 0) {
    const stale = staleHold(state, session, guard)
    if (stale !== undefined) return stale
  }
  const mismatched = mismatch(operation, args)
  if (mismatched !== undefined) return mismatched
  for (const argument of args) {
    if (!isCell(argument)) continue
    // Counting references to the directory could end it.
    const unknown = argument.handles.find((handle) => handle === directory || !state.objects.has(handle))
    if (unknown !== undefined) return refuse("StaleHandle", unknown)
  }
  return undefined
}

/** Why arguments are not those of an operation; absent: they are. */
export const mismatch = (
  { parameters, rest }: Operation<unknown>,
  args: ReadonlyArray<Argument>
): Refusal | undefined => {
  const more = args.length - parameters.length
  if (more !== 0 && (more < 0 || rest.length === 0 || more % rest.length !== 0)) {
    const groups = rest.length === 0 ? "" : ` and groups of ${rest.length}`
    return refuse("InvalidArguments", `${parameters.length} arguments${groups}, not ${args.length}`)
  }
  for (let i = 0; i < args.length; i++) {
    const parameter = parameters[i] ?? rest[(i - parameters.length) % rest.length]!
    if (!parameter.is(args[i])) {
      return refuse("InvalidArguments", issueOf(parameter.name || `argument ${i + 1}`, parameter, args[i]))
    }
  }
  return undefined
}

/** I5: refuses a guard with a hold that is not current. */
export const staleHold = (
  state: EngineState,
  session: Session,
  guard: ReadonlyArray<GrantId>
): Refusal | undefined => {
  const { guardMax } = state.limits
  if (guard.length > guardMax) return refuse("LimitExceeded", "guardMax", guardMax)
  const stale = guard.find((id) => {
    const grant = session.grants.get(id)
    return grant === undefined || state.objects.get(grant.object)?.kind.fences !== true
  })
  return stale === undefined ? undefined : refuse("FencedOut", stale)
}
