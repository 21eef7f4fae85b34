/**
 * Known bugs that any kind may have: each is made by wrapping a kind, so a new kind is attacked by them without a list.
 * The simulation of its specimen alone must find each.
 */
import type { AnyKind } from "#core/engine/Kind.ts"
import { type At, type Decision, ready, type Reply, wait, type Withdrawal } from "#core/engine/Operation.ts"
import { specimens } from "#core/testing/kinds/index.ts"
import { type AnyOperation, changed, inKind, inOperation, type Mutant } from "./mutation.ts"
import { type Deed, listsOf, Probe } from "./Probe.ts"
import type { Way } from "./Stage.ts"

/** A bug of an operation. */
interface OperationBug {
  readonly bug: string
  /** Whether the operation can have it. */
  readonly isIn: (operation: AnyOperation, has: (deed: Deed) => boolean) => boolean
  readonly change: (operation: AnyOperation) => Partial<AnyOperation>
  readonly ways?: ReadonlyArray<Way>
}

/** A bug of the rest of a kind. */
interface KindBug {
  readonly bug: string
  readonly isIn: (kind: AnyKind, probe: Probe) => boolean
  readonly change: (kind: AnyKind) => Partial<AnyKind>
}

type Decide = AnyOperation["decide"]

/** Decides otherwise. */
const decides =
  (change: (decision: Decision, at: At, again: () => void) => Decision) =>
  ({ apply, decide }: AnyOperation): { readonly decide: Decide } => ({
    decide: (state, args, at) => change(decide(state, args, at), at, () => apply(state, args, at))
  })

/** Does all that it does with something else than the step. */
const sees = (change: Partial<At>) => ({ apply, decide, enter, withdraw }: AnyOperation): Partial<AnyOperation> => ({
  decide: (state, args, at) => decide(state, args, changed(at, change)),
  apply: (state, args, at) => apply(state, args, changed(at, change)),
  enter: enter && ((state, args, at) => enter(state, args, changed(at, change))),
  withdraw: withdraw && ((state, args, reason, at) => withdraw(state, args, reason, changed(at, change)))
})

const nothing = (): void => {}

const operationBugs: Readonly<Record<string, OperationBug>> = {
  "does-not-wait": {
    bug: "goes on where it must wait",
    isIn: (_, has) => has("waits"),
    change: decides((decision) => decision._tag === "Wait" ? ready : decision)
  },
  "never-served": {
    bug: "stays in its lane, though it could go (I4)",
    isIn: (_, has) => has("waits"),
    change: decides((decision, at) => at.since === undefined || decision._tag === "Wait" ? decision : wait)
  },
  "not-refused": {
    bug: "is done where it must be refused",
    isIn: (_, has) => has("refuses"),
    change: decides((decision) => decision._tag === "Refuse" ? ready : decision)
  },
  "refused-and-done": {
    bug: "changes something, though it is refused (S-2)",
    isIn: ({ access }, has) => access !== "read" && has("refuses"),
    change: decides((decision, _, apply) => {
      if (decision._tag === "Refuse") apply()
      return decision
    })
  },
  "not-answered": {
    bug: "is done where nothing is to do",
    isIn: (_, has) => has("answers"),
    change: decides((decision) => decision._tag === "Answer" ? ready : decision)
  },
  "reply-lost": {
    bug: "replies with nothing",
    isIn: (_, has) => has("replies"),
    change: ({ apply }) => ({
      apply: (state, args, at) => {
        apply(state, args, at)
        return []
      }
    })
  },
  "reply-stale": {
    bug: "replies what it replied to the last call (I1)",
    isIn: (_, has) => has("replies differently"),
    change: ({ apply }) => ({
      apply: (state, args, at) => {
        const reply = apply(state, args, at)
        const last: Reply = lastReply.get(state) ?? reply
        lastReply.set(state, reply)
        return last
      }
    })
  },
  "unguarded": {
    bug: "is done under a hold that is lost (S-21)",
    isIn: ({ guarded }) => guarded,
    change: () => ({ guarded: false }),
    ways: ["kept", "fenced", "escaped", "remove"]
  },
  "enters-for-nothing": {
    bug: "begins to wait without the change that this is (S-14)",
    isIn: ({ enter }) => enter !== undefined,
    change: () => ({ enter: nothing })
  },
  "withdrawn-in-part": {
    bug: "leaves its lane without undoing what it did by waiting (S-14)",
    isIn: ({ withdraw }) => withdraw !== undefined,
    change: () => ({ withdraw: nothing })
  },
  "newcomer": {
    bug: "does not know that it has waited",
    isIn: (_, has) => has("since"),
    change: sees({ since: undefined })
  },
  "overtakes": {
    bug: "does not see who waits before it (S-13)",
    isIn: (_, has) => has("isBehind"),
    change: sees({ isBehind: false })
  },
  "not-settled": {
    bug: "does not end the grant that it gives back (S-10)",
    isIn: (_, has) => has("settle"),
    change: sees({ settle: nothing })
  },
  "not-revoked": {
    bug: "does not end the grant that has become useless (S-10)",
    isIn: (_, has) => has("revoke"),
    change: sees({ revoke: nothing })
  },
  "without-deadline": {
    bug: "grants without a deadline",
    isIn: (_, has) => has("expire"),
    change: sees({ expire: nothing })
  },
  "not-counted": {
    bug: "does not count the handles of a value that it stores (S-23)",
    isIn: (_, has) => has("retain"),
    change: sees({ retain: nothing })
  },
  "counted-for-ever": {
    bug: "counts the handles of a value that is gone (S-23)",
    isIn: (_, has) => has("release"),
    change: sees({ release: nothing })
  },
  "keys-not-counted": {
    bug: "does not count the bytes of what it keeps besides values (I2)",
    isIn: (_, has) => has("grow"),
    change: sees({ grow: nothing })
  },
  "not-woken": {
    bug: "does not say which calls it may satisfy (I4)",
    isIn: (_, has) => has("wakes"),
    change: sees({ wakes: nothing })
  },
  "untold": {
    bug: "does not tell watchers (S-29)",
    isIn: (_, has) => has("changed"),
    change: sees({ changed: nothing })
  }
}

const lastReply = new WeakMap<object, Reply>()

/** A `revoke` that has a name for its third parameter: one that does not use it calls it `_`. */
const usesReason = /^\([^,]*,(?:[^,{)]|\{[^}]*\})*,\s*(?!_\b)\w/

/** Revokes nothing for one reason. */
const keptAfter = (reason: Withdrawal): KindBug => ({
  bug: `does not take back what it granted (${reason})`,
  isIn: (_, probe) => probe.has("revoke", `revokes: ${reason}`),
  change: ({ revoke }) => ({
    revoke: (state, grant, why, at) => why === reason ? undefined : revoke?.(state, grant, why, at)
  })
})

const kindBugs: Readonly<Record<string, KindBug>> = {
  "kept-after-cancel": keptAfter("cancelled"),
  "kept-after-end": keptAfter("session ended"),
  "kept-after-deadline": keptAfter("deadline"),
  "reason-forgotten": {
    bug: "takes back what a dead client had as if that had been cancelled (S-11)",
    isIn: ({ revoke }, probe) => usesReason.test(String(revoke)) && probe.has("revoke", "revokes: session ended"),
    change: ({ revoke }) => ({ revoke: (state, grant, _, at) => revoke?.(state, grant, "cancelled", at) })
  },
  "revoked-in-part": {
    bug: "counts the handles of values that it took back and forgot (S-23)",
    isIn: (_, probe) => probe.has("revoke", "release"),
    change: ({ revoke }) => ({
      revoke: (state, grant, reason, at) => revoke?.(state, grant, reason, changed(at, { release: nothing }))
    })
  },
  "put-back-misplaced": {
    bug: "puts back what it takes back to another place",
    isIn: ({ revoke }, probe) => revoke !== undefined && probe.has("revoke", "puts back"),
    change: ({ revoke }) => ({
      revoke: (state, grant, reason, at) => {
        const before = new Set(listsOf(state).flat())
        revoke?.(state, grant, reason, at)
        for (const list of listsOf(state)) misplace(list, (item) => !before.has(item))
      }
    })
  },
  "receipt-ignored": {
    bug: "does not hear that its client has what it granted",
    isIn: ({ received }) => received !== undefined,
    change: () => ({ received: nothing })
  },
  "no-fence": {
    bug: "refuses what is done under the holds that it grants (S-21)",
    isIn: ({ fences }) => fences === true,
    change: () => ({ fences: false })
  },
  "stale-snapshot": {
    bug: "shows new watchers its first state (S-29)",
    isIn: ({ snapshot }) => snapshot !== undefined,
    change: ({ snapshot }) => ({
      snapshot: (state) => {
        const first = lastReply.get(state) ?? snapshot!(state)
        lastReply.set(state, first)
        return first
      }
    })
  },
  "forgotten": {
    bug: "is forgotten when nobody uses it, though it is not as it was at first (S-27)",
    isIn: (_, probe) => probe.has("pristine", "is not pristine"),
    change: () => ({ pristine: () => true })
  }
}

/** The bugs that a kind can have, by what it does in some seeds: `Queue.offer/does-not-wait`, `Queue/kept-after-end`. */
export const genericMutants = (kind: AnyKind, seeds: number): Readonly<Record<string, Mutant>> => {
  const probe = new Probe(kind, seeds)
  const { harmless = {} } = specimens.find((specimen) => specimen.kind === kind)!
  const mutants: Record<string, Mutant> = {}
  for (const [name, { bug, change, isIn }] of Object.entries(kindBugs)) {
    if (isIn(kind, probe) && !Object.hasOwn(harmless, name)) {
      mutants[`${kind.name}/${name}`] = { bug: `${kind.name} ${bug}`, ...inKind(kind.name, change) }
    }
  }
  for (const [operation, definition] of Object.entries<AnyOperation>(kind.operations)) {
    for (const [name, { bug, change, isIn, ways }] of Object.entries(operationBugs)) {
      if (!isIn(definition, (deed) => probe.has(operation, deed))) continue
      const where = `${kind.name}.${operation}`
      if (Object.hasOwn(harmless, `${operation}/${name}`)) continue
      const circumstances = { focus: probe.callersOf(operation), ...ways && { ways } }
      mutants[`${where}/${name}`] = {
        bug: `${where} ${bug}`,
        ...circumstances,
        ...inOperation(kind.name, operation, change)
      }
    }
  }
  return mutants
}

// internals

/** Swaps what is new in a list with its neighbour. */
const misplace = (list: Array<unknown>, isNew: (item: unknown) => boolean): void => {
  const at = list.findIndex(isNew)
  const other = list[at + 1] === undefined ? at - 1 : at + 1
  if (at < 0 || list[other] === undefined) return
  ;[list[at], list[other]] = [list[other], list[at]]
}
