/** A hash of the whole state: equal inputs must give equal hashes (I1). */
import type { EngineState } from "./State.ts"

/** The state as canonical text: maps in order of insertion, parked calls as data. */
export const text = (state: EngineState): string =>
  JSON.stringify({
    epoch: state.epoch,
    index: state.index,
    now: state.now,
    nextObject: state.nextObject,
    arrivals: state.arrivals,
    sessions: [...state.sessions.values()].map((session) => ({
      ...session,
      requests: [...session.requests].map(([sequence, request]) => [
        sequence,
        request._tag === "Answered"
          ? request
          : { ...request, places: request.places.map(({ call, lane }) => ({ call, lane })) }
      ]),
      grants: [...session.grants.values()],
      imports: [...session.imports],
      watches: [...session.watches]
    })),
    objects: [...state.objects.values()].map((
      { kind, watchers, lanes: _, operations: __, grants, state, ...object }
    ) => ({
      ...object,
      grants: grants.size,
      kind: kind.name,
      watchers: [...watchers],
      state: kind.describe(state)
    })),
    names: [...state.names]
  })

/** FNV-1a over the text's code units, 32 bits in hexadecimal. */
export const hash = (state: EngineState): string => {
  let hash = 0x811c9dc5
  const canonical = text(state)
  for (let i = 0; i < canonical.length; i++) hash = Math.imul(hash ^ canonical.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, "0")
}
