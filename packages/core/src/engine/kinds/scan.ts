/**
 * Scans: all values of an object at one instant, read page by page, because they may not fit into one reply.
 *
 * A scan copies references, not values, and retains them (S-23). Pages are read from that copy, so later changes of the
 * object are not seen. The reader asks for each page. Values that fit into one page are returned at once, without a copy
 * and without a change. A scan is a grant: it ends with its reader.
 */
import * as Format from "../Format.ts"
import { type At, type Grant, type GrantId, operationsOf, ready, refuse } from "../Operation.ts"
import { firstPage } from "../Page.ts"
import { count } from "../Parameter.ts"
import { type Argument, type Cell, isCell } from "../Value.ts"

/** The part of a kind's state that scans need. */
export interface Scans {
  readonly scans: Map<GrantId, Array<Argument>>
}

function* from(parts: ReadonlyArray<Argument>, start: number): Generator<Argument> {
  for (let i = start; i < parts.length; i++) yield parts[i]!
}

const isHeld = (state: Scans, scan: GrantId, at: At): boolean => state.scans.has(scan) && at.held(scan) !== undefined

/** Releases the copy of a scan. */
const end = (state: Scans, scan: GrantId, at: At): void => {
  for (const part of state.scans.get(scan) ?? []) if (isCell(part)) at.release(part)
  state.scans.delete(scan)
}

/** The operations of scans over the values `all` of a state, in groups that no page divides. */
export const operations = <State extends Scans>(all: (state: State) => Iterable<Argument>, group: number) => {
  const { change, grant, read } = operationsOf<State>()
  return {
    /** The bytes that a page may have. Replies with the scan and its first page; the scan is 0 if that was all. */
    scan: grant({
      parameters: [count],
      observes: true,
      decide: (state, [bytesMax]) => {
        const { isLast, page } = firstPage(all(state), group, bytesMax)
        // `answer` takes a part for each argument, and a page may have more parts than a call has arguments.
        return isLast ? { _tag: "Answer", reply: [0, ...page] } : ready
      },
      apply: (state, [bytesMax], at): readonly [scan: GrantId, ...page: ReadonlyArray<Argument>] => {
        const parts = Array.from(all(state))
        for (const part of parts) if (isCell(part)) at.retain(part)
        state.scans.set(at.index, parts)
        return [at.index, ...firstPage(parts, group, bytesMax).page]
      }
    }),
    /** Scan, position of the first part, bytes that the page may have. Replies 1 if more follows, and the page. */
    page: read(
      [count, count, count],
      (state, [scan, start, bytesMax]): readonly [more: number, ...page: ReadonlyArray<Argument>] => {
        const { isLast, page } = firstPage(from(state.scans.get(scan)!, start), group, bytesMax)
        return [isLast ? 0 : 1, ...page]
      },
      { decide: (state, [scan], at) => isHeld(state, scan, at) ? ready : refuse("NotHeld", scan) }
    ),
    /** Ends a scan, read to its end or not. */
    endScan: change({
      parameters: [count],
      settles: true,
      observes: true,
      decide: (state, [scan], at) => isHeld(state, scan, at) ? ready : refuse("NotHeld", scan),
      apply: (state, [scan], at) => {
        at.settle(scan)
        end(state, scan, at)
        return []
      }
    })
  }
}

/** For `Kind.revoke`. */
export const revoke = (state: Scans, { id }: Grant, at: At): void => end(state, id, at)

/** For `Kind.format`. */
export const fields = { scans: Format.map(Format.count, Format.list(Format.argument)) }

/** For `Kind.values`. */
export const values = (state: Scans): ReadonlyArray<Cell> => [...state.scans.values()].flat().filter(isCell)

/** For `Kind.check`: the grants that are not scans. */
export const others = (state: Scans, grants: ReadonlyArray<Grant>): ReadonlyArray<Grant> =>
  grants.filter(({ id }) => !state.scans.has(id))

/** For `Kind.check`. */
export const check = (state: Scans, grants: ReadonlyArray<Grant>): ReadonlyArray<string> => {
  const granted = new Set(grants.map(({ id }) => id))
  return [...state.scans.keys()].filter((id) => !granted.has(id)).map((id) => `I3: scan ${id} has no grant`)
}
