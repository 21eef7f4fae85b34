/**
 * An own kind as the engine runs it.
 *
 * A call is evaluated once: `decide` runs the transition and keeps the outcome, which `apply` stores. The engine applies
 * nothing between the two.
 *
 * The state is a value of the program's, not a text: a call decodes its payload and encodes its result, and the state is
 * encoded only for a watcher, a reader, or a checkpoint.
 */
import * as Exit from "effect/Exit"
import { memoize } from "effect/Function"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Format from "../engine/Format.ts"
import { type AnyKind, kindOf } from "../engine/Kind.ts"
import {
  answer,
  type At,
  type Decision,
  type Grant,
  type GrantId,
  operationsOf,
  ready,
  refuse,
  type Reply,
  wait,
  waitUntil
} from "../engine/Operation.ts"
import {
  count,
  countOrNothing,
  number,
  numberOrNothing,
  type Parameters,
  value,
  valueOrNothing,
  word
} from "../engine/Parameter.ts"
import type { Cell } from "../engine/Value.ts"
import * as Kind from "../Kind.ts"
import { type Evaluated, Evaluator, type Made, undecodable } from "./Evaluator.ts"
import {
  checkOperation,
  commitOperation,
  releaseOperation,
  stateOperation,
  tryOperation,
  untilChangedOperation
} from "./names.ts"
import { evaluateAll, outcomeOf } from "./sequence.ts"
import { sizeOf } from "./size.ts"

/** A hold that has not ended: the operation that granted it, and its arguments. */
interface Held {
  readonly operation: string
  readonly args: Reply
}

interface State {
  /** As text. */
  readonly options: string
  current: unknown
  /** Of `current`. */
  bytes: number
  readonly holds: Map<GrantId, Held>
  /** The index of the last change. */
  version: number
  /** The outcome of the call that was decided last. */
  decided: Evaluated | undefined
  /** Why the end of a hold could not change the state. */
  defect: string | undefined
}

const { change, grant, read } = operationsOf<State, string>()

type AnyOperation = ReturnType<typeof read>

/** The kinds that a manager is given, as its engine has them. */
export const engineKinds = (kinds: ReadonlyArray<Kind.Known>): ReadonlyArray<AnyKind> =>
  Kind.kindsOf(kinds).map(engineKind)

const engineKind = memoize((kind: Kind.Any): AnyKind => {
  const evaluator = new Evaluator(kind)
  const declared = Object.entries(kind.operations)
  const isOfHolds = declared.every(([, { access }]) => access !== "change")
  const lanesOf = (isRead: boolean) =>
    declared.filter(([, { access }]) => (access === "read") === isRead).map(([name, { lane = name }]) => lane)
  return kindOf<State>()({
    name: kind.name,
    fingerprint: kind.fingerprint,
    // Reads see each change before the next one is made.
    lanes: [...new Set([...lanesOf(true), untilChangedOperation, ...lanesOf(false)])],
    operations: {
      ...Object.fromEntries(
        declared.map(([name, operation]) => [name, operationOf(evaluator, name, operation, isOfHolds)])
      ),
      [stateOperation]: read([], ({ current }) => [evaluator.show(current)] as const),
      ...transactionOperations(kind, evaluator),
      [releaseOperation]: change({
        parameters: [count],
        rest: [word],
        settles: true,
        decide: (_, [id], at) => at.held(id) === undefined ? refuse("NotHeld", id) : ready,
        apply: (state, [id], at) => {
          at.settle(id)
          endHold(evaluator, state, id, "released", at)
          return []
        }
      })
    },
    options: { options: word },
    fences: declared.some(([, { access }]) => access === "hold"),
    initial: ({ options }) => {
      const begun = evaluator.begin(options)
      return Result.isSuccess(begun)
        ? newState({ options, current: begun.success.state, version: 0, holds: new Map() })
        : refuse("InvalidOptions", begun.failure)
    },
    pristine: ({ current, holds, options }) => holds.size === 0 && evaluator.isInitial(options, current),
    // The engine revokes a hold for one of these reasons only.
    revoke: (state, { id }, reason, at) => endHold(evaluator, state, id, reason as HoldEnd, at),
    snapshot: ({ current }) => [evaluator.show(current)],
    values: () => [],
    bytes: ({ bytes }) => bytes,
    version: 2,
    format: formatOf(evaluator),
    check: (state, grants) => [...heldBy(state, grants), ...evaluator.violations(state.current)]
  })
})

type HoldEnd = Kind.Hold<unknown>["reason"]

/** The parts of a state that are saved. The others follow from them, or are of one step only. */
type Saved = Pick<State, "options" | "current" | "version" | "holds">

const newState = (saved: Saved): State => ({
  ...saved,
  bytes: sizeOf(saved.current),
  decided: undefined,
  defect: undefined
})

const store = (evaluator: Evaluator, state: State, { grown, state: next }: Made, at: At): void => {
  state.current = next
  state.version = at.index
  state.bytes += grown
  at.grow(grown)
  if (at.isWatched) at.changed([evaluator.show(next)])
}

const endHold = (evaluator: Evaluator, state: State, id: GrantId, reason: HoldEnd, at: At): void => {
  const { args, operation } = state.holds.get(id)!
  state.holds.delete(id)
  const next = evaluator.release(operation, state.current, args, { index: id, reason })
  if (Result.isSuccess(next)) store(evaluator, state, next.success, at)
  else state.defect = next.failure
}

/** The operations by which a transaction uses an object. */
const transactionOperations = (kind: Kind.Any, evaluator: Evaluator) => ({
  /**
   * Time, index, name, payload, name, … Without a time and an index the current ones. Replies with the version of the
   * state, time, index, and the outcome of the last operation.
   */
  [tryOperation]: read([numberOrNothing, countOrNothing], () => [], {
    rest: [word, valueOrNothing],
    decide: ({ current, version }, [time, upcoming, ...operations], at) => {
      const step = { now: time ?? at.now, index: upcoming ?? at.upcoming }
      const outcome = outcomeOf(evaluateAll(kind, evaluator, current, operations, step))
      return "_tag" in outcome ? outcome : answer(version, step.now, step.index, ...outcome)
    }
  }),
  /** As `$try`, and stores the state. */
  [commitOperation]: change({
    parameters: [number, count],
    rest: [word, valueOrNothing],
    decide: (state, [now, index, ...operations]) => {
      const evaluated = state.decided = evaluateAll(kind, evaluator, state.current, operations, { now, index })
      // The same operations on the same state: only an impure transition has another outcome.
      return evaluated._tag === "Done" ? ready : conflict
    },
    apply: (state, _, at) => {
      // Only what was decided to be done is applied.
      store(evaluator, state, state.decided as Made, at)
      return []
    }
  }),
  [checkOperation]: read([count], () => [], {
    decide: (state, [version]) => version === state.version ? ready : conflict
  }),
  /** Waits at most until a time. */
  [untilChangedOperation]: read([count, numberOrNothing], () => [], {
    lane: untilChangedOperation,
    decide: (state, [version, until], at) =>
      version !== state.version || until !== null && at.now >= until ? ready : until === null ? wait : waitUntil(until)
  })
})

const conflict = refuse("Conflict")

/** An operation of the kind. */
const operationOf = (
  evaluator: Evaluator,
  name: string,
  { access, holdFor, lane = name, payload }: Kind.Operations[string],
  isOfHolds: boolean
): AnyOperation => {
  const parameters: Parameters = payload === Schema.Void ? [] : [value]
  const payloadOf = payloads(evaluator, name)
  const decide = (state: State, args: Reply, at: At): Decision => {
    const given = payloadOf(args, at)
    if (Exit.isFailure(given)) return undecodable(given)
    const step = { now: at.now, index: access === "read" ? at.index : at.upcoming }
    const evaluated = state.decided = evaluator.evaluate(name, state.current, given.value, step)
    switch (evaluated._tag) {
      case "Done":
        return ready
      case "Waiting":
        return evaluated.until === undefined ? wait : waitUntil(evaluated.until)
      default:
        return evaluated
    }
  }
  const apply = (state: State, at: At): Reply => {
    // Only a call that was decided to be done is applied.
    const done = state.decided as Extract<Evaluated, { readonly _tag: "Done" }>
    store(evaluator, state, done, at)
    return done.reply
  }
  if (access === "read") return read(parameters, () => [], { lane, decide })
  if (access === "change") return change({ parameters, lane, decide, apply: (state, _, at) => apply(state, at) })
  /**
   * Only the ends of holds can let a hold go on if no other operation changes the state. So it is tried as if the holds
   * had ended that may end, and as if all had.
   */
  const isBlocked = (
    state: State,
    args: Reply,
    isStuck: (hold: GrantId) => boolean,
    { now, upcoming }: Pick<At, "now" | "upcoming">
  ): boolean => {
    const stuck = new Set([...state.holds.keys()].filter((id) => isStuck(id)))
    if (stuck.size === 0) return false
    const payload = evaluator.payload(name, args)
    if (Exit.isFailure(payload)) return false
    const waits = (isOver: (hold: GrantId) => boolean): boolean => {
      const left = without(evaluator, state, isOver)
      if (left === undefined) return true
      const evaluated = evaluator.evaluate(name, left, payload.value, { now, index: upcoming })
      return evaluated._tag === "Waiting" && evaluated.until === undefined
    }
    return waits((id) => !stuck.has(id)) && !waits(() => true)
  }
  return grant({
    parameters,
    lane,
    decide,
    ...isOfHolds ? { isBlocked } : {},
    apply: (state, args, at) => {
      if (holdFor !== undefined) at.expire(holdFor)
      state.holds.set(at.index, { operation: name, args })
      return [at.index, ...apply(state, at)]
    }
  })
}

/** The state as if some holds had ended; absent: a defect of the kind prevents it. */
const without = (evaluator: Evaluator, { current, holds }: State, isOver: (hold: GrantId) => boolean): unknown => {
  let left = current
  for (const [index, { args, operation }] of holds) {
    if (!isOver(index)) continue
    const made = evaluator.release(operation, left, args, { index, reason: "released" })
    if (Result.isFailure(made)) return undefined
    left = made.success.state
  }
  return left
}

/** The payloads of calls. That of a call that waits is kept, because the call is evaluated again and again. */
const payloads = (evaluator: Evaluator, operation: string) => {
  const kept = new WeakMap<Reply, ReturnType<Evaluator["payload"]>>()
  return (args: Reply, { since }: At): ReturnType<Evaluator["payload"]> => {
    if (since === undefined) return evaluator.payload(operation, args)
    const known = kept.get(args) ?? evaluator.payload(operation, args)
    kept.set(args, known)
    return known
  }
}

const heldBy = ({ defect, holds }: State, grants: ReadonlyArray<Grant>): ReadonlyArray<string> => [
  ...defect === undefined ? [] : [defect],
  ...grants.length === holds.size && grants.every(({ id }) => holds.has(id))
    ? []
    : [`I2: ${[...holds.keys()]} are held and granted are ${grants.map(({ id }) => id)}`]
]

const formatOf = (evaluator: Evaluator): Format.Format<State> =>
  Format.convert(
    Format.struct<Saved>({
      options: Format.word,
      current: Format.convert<unknown, Cell>(
        Format.cell,
        (state) => evaluator.show(state),
        (saved) =>
          Result.getOrElse(evaluator.parse(saved), (issue) => new Format.Malformed(`does not decode: ${issue}`))
      ),
      version: Format.count,
      holds: Format.map(
        Format.count,
        Format.struct<Held>({ operation: Format.word, args: Format.list(Format.argument) })
      )
    }),
    (state) => state,
    newState
  )
