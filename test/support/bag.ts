/** The smallest kind that can be scanned: it holds values by name, and all are removed at once. */
import * as Format from "#core/engine/Format.ts"
import { kindOf } from "#core/engine/Kind.ts"
import * as Scan from "#core/engine/kinds/scan.ts"
import { operationsOf } from "#core/engine/Operation.ts"
import { value, word } from "#core/engine/Parameter.ts"
import { type Argument, isCell } from "#core/engine/Value.ts"
import { ScanModel } from "#core/testing/kinds/scan.ts"
import type { Model, Reply } from "@effect-multiprocessing/core/testing"

interface State extends Scan.Scans {
  readonly parts: Array<Argument>
}

const { change } = operationsOf<State>()

export const bag = kindOf<State>()({
  name: "Bag",
  lanes: [],
  operations: {
    put: change({
      parameters: [word, value],
      apply: (state, parts, at) => {
        at.retain(parts[1])
        state.parts.push(...parts)
        return []
      }
    }),
    empty: change({
      parameters: [],
      apply: (state, _, at) => {
        for (const part of state.parts.splice(0)) if (isCell(part)) at.release(part)
        return []
      }
    }),
    ...Scan.operations<State>(({ parts }) => parts, 2)
  },
  options: {},
  initial: () => ({ parts: [], scans: new Map() }),
  pristine: ({ parts, scans }) => parts.length + scans.size === 0,
  revoke: (state, grant, _, at) => Scan.revoke(state, grant, at),
  values: (state) => [...state.parts.filter(isCell), ...Scan.values(state)],
  version: 1,
  format: Format.struct({ parts: Format.list(Format.argument), ...Scan.fields }),
  check: (state, grants) => [
    ...Scan.check(state, grants),
    ...Scan.others(state, grants).map(({ id }) => `I3: grant ${id} is no scan`)
  ]
})

/** The model of a bag. */
export const makeBag = (parts: Reply = [], grants = new Map(), scans = new ScanModel(grants, 2)): Model => ({
  grants,
  unguarded: new Set(["endScan"]),
  look: (call) => scans.look(call, () => parts),
  change: (call) => {
    if (scans.look(call, () => parts) !== undefined) return undefined
    if (call.operation === "put") parts = [...parts, ...call.args]
    else if (call.operation === "empty") parts = []
    else return scans.change(call, () => parts)
    return []
  },
  revoke: (grant) => scans.end(grant),
  isPristine: () => parts.length === 0 && grants.size === 0,
  state: () => [parts, scans.state()],
  copy: () => {
    const own = new Map(grants)
    return makeBag(parts, own, scans.copy(own))
  }
})
