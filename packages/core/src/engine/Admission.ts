/**
 * Whether a request may be looked at by its kind: its guard, its arguments, and the handles in them.
 */
import type { RequestInput } from "./Inputs.ts"
import { type GrantId, type Operation, type Refusal, refuse } from "./Operation.ts"
import type { EngineState, Session } from "./State.ts"
import { isCell } from "./Value.ts"

/** Why a request cannot be admitted; absent: it can. */
export const refusal = (
  state: EngineState,
  session: Session,
  operation: Operation<unknown>,
  { args, guard }: Pick<RequestInput, "args" | "guard">
): Refusal | undefined => {
  if (operation.guarded && guard.length > 0) {
    const stale = staleHold(state, session, guard)
    if (stale !== undefined) return stale
  }
  const { parameters, rest } = operation
  const more = args.length - parameters.length
  if (more !== 0 && (more < 0 || rest.length === 0 || more % rest.length !== 0)) {
    const groups = rest.length === 0 ? "" : ` and groups of ${rest.length}`
    return refuse("InvalidArguments", `${parameters.length} arguments${groups}, not ${args.length}`)
  }
  for (let i = 0; i < args.length; i++) {
    const parameter = parameters[i] ?? rest[(i - parameters.length) % rest.length]!
    if (!parameter.is(args[i])) return refuse("InvalidArguments", `${parameter.expected} at position ${i}`)
  }
  for (const argument of args) {
    if (!isCell(argument)) continue
    // The manager itself (0) is no value: counting references to it could end it.
    const unknown = argument.handles.find((handle) => handle === 0 || !state.objects.has(handle))
    if (unknown !== undefined) return refuse("StaleHandle", unknown)
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
