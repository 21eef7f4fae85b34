/**
 * The model of an own kind: its own transitions, run one after the other on a plain state. It judges the manager. The
 * transitions themselves are judged by the invariants, and by running twice: a pure one gives the same again.
 */
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Withdrawal } from "../engine/Operation.ts"
import type { Argument } from "../engine/Value.ts"
import * as Kind from "../Kind.ts"
import { type Evaluated, Evaluator } from "../kind/Evaluator.ts"
import {
  checkOperation,
  commitOperation,
  releaseOperation,
  stateOperation,
  tryOperation,
  untilChangedOperation
} from "../kind/names.ts"
import { evaluateAll, outcomeOf } from "../kind/sequence.ts"
import {
  type Answer,
  type Call,
  type Granted,
  holds,
  type MakeModel,
  type Model,
  notHeld,
  type Reply
} from "./kinds/Model.ts"

/** The models of own kinds, by the names of the kinds. */
export const modelsOf = (kinds: ReadonlyArray<Kind.Known>): Readonly<Record<string, MakeModel>> =>
  Object.fromEntries(
    Kind.kindsOf(kinds).map((kind) => {
      const evaluator = new Evaluator(kind)
      return [kind.name, ({ options }) => new OwnModel(kind, evaluator, String(options))]
    })
  )

const conflict: Answer = { error: "Conflict" }

/** A call that was granted a hold. */
type Holding = Pick<Call, "operation" | "args">

class OwnModel implements Model {
  readonly unguarded = new Set([releaseOperation])
  readonly grants: Map<number, Granted>
  readonly #kind: Kind.Any
  readonly #evaluator: Evaluator
  readonly #options: string
  readonly #holds: Map<number, Holding>
  #state: unknown
  /** The index of the last change. */
  #version: number
  #told: ReadonlyArray<Reply> = []

  constructor(
    kind: Kind.Any,
    evaluator: Evaluator,
    options: string,
    // The object was made, so there is a state.
    state: unknown = Result.getOrThrow(evaluator.begin(options)).state,
    version = 0,
    holds?: ReadonlyMap<number, Holding>,
    grants?: ReadonlyMap<number, Granted>
  ) {
    this.#kind = kind
    this.#evaluator = evaluator
    this.#options = options
    this.#state = state
    this.#version = version
    this.#holds = new Map(holds)
    this.grants = new Map(grants)
  }

  look(call: Call): Answer | undefined {
    const { args, operation, session } = call
    if (operation === stateOperation) return { reply: this.snapshot() }
    if (operation === releaseOperation) return holds(this, session, args[0]) ? undefined : notHeld
    if (operation === checkOperation) return args[0] === this.#version ? { reply: [] } : conflict
    if (operation === untilChangedOperation) {
      if (args[0] !== this.#version) return { reply: [] }
      return args[1] === null ? undefined : { isTimed: true }
    }
    if (operation === tryOperation) return this.#try(args)
    if (operation === commitOperation) return this.#evaluateAll(args)._tag === "Done" ? undefined : conflict
    const step = new UnknownStep()
    const evaluated = this.#evaluate(call, step)
    if (step.isRead) return { isTimed: true }
    if (evaluated?._tag === "Answer") return { reply: evaluated.reply }
    return evaluated?._tag === "Refuse" ? { error: evaluated.error } : undefined
  }

  change(call: Call): Reply | undefined {
    const { args, index, now = 0, operation, session } = call
    if (operation === releaseOperation) {
      if (!holds(this, session, args[0])) return undefined
      this.#end(Number(args[0]), "released", index)
      return []
    }
    if (operation === commitOperation) {
      const evaluated = this.#evaluateAll(args)
      if (evaluated._tag !== "Done") return undefined
      this.#replace(evaluated.state, index)
      return []
    }
    const evaluated = this.#evaluate(call, { now, index })
    if (evaluated?._tag !== "Done") return undefined
    this.#replace(evaluated.state, index)
    if (this.#kind.operations[operation]!.access !== "hold") return evaluated.reply
    this.#holds.set(index, { operation, args })
    this.grants.set(index, { session, byReceipt: false })
    return [index, ...evaluated.reply]
  }

  revoke(grant: number, reason: Withdrawal, index: number): void {
    // A hold is revoked for one of these reasons only.
    this.#end(grant, reason as Kind.Hold<unknown>["reason"], index)
  }

  snapshot(): ReadonlyArray<Argument> {
    return [this.#evaluator.show(this.#state)]
  }

  get told(): ReadonlyArray<Reply> {
    return this.#told
  }

  isPristine(): boolean {
    return this.#holds.size === 0 && this.#evaluator.isInitial(this.#options, this.#state)
  }

  state(): unknown {
    return [this.snapshot(), this.#version, [...this.#holds]]
  }

  copy(): OwnModel {
    const { grants } = this
    return new OwnModel(
      this.#kind,
      this.#evaluator,
      this.#options,
      this.#state,
      this.#version,
      this.#holds,
      grants
    )
  }

  /** Time, index and operations of a transaction. Without a time the outcome proves nothing if it depends on it. */
  #try([now, index, ...operations]: Reply): Answer {
    const step = now === null ? new UnknownStep() : { now: Number(now), index: Number(index) }
    const outcome = outcomeOf(evaluateAll(this.#kind, this.#evaluator, this.#state, operations, step))
    if (step instanceof UnknownStep && step.isRead) return { isTimed: true }
    return "_tag" in outcome
      ? { error: outcome.error }
      : { reply: [this.#version, Number(now ?? NaN), Number(index ?? NaN), ...outcome] }
  }

  #evaluateAll([now, index, ...operations]: Reply): Evaluated {
    const step = { now: Number(now), index: Number(index) }
    return evaluateAll(this.#kind, this.#evaluator, this.#state, operations, step)
  }

  #evaluate({ args, operation }: Call, step: Kind.Step): Evaluated | undefined {
    if (!Object.hasOwn(this.#kind.operations, operation)) return undefined
    const payload = this.#evaluator.payload(operation, args)
    return Exit.isSuccess(payload)
      ? this.#evaluator.evaluate(operation, this.#state, payload.value, step)
      : undefined
  }

  #end(grant: number, reason: Kind.Hold<unknown>["reason"], index: number): void {
    const { args, operation } = this.#holds.get(grant)!
    this.#holds.delete(grant)
    this.grants.delete(grant)
    const next = this.#evaluator.release(operation, this.#state, args, { index: grant, reason })
    this.#told = []
    if (Result.isSuccess(next)) this.#replace(next.success.state, index)
  }

  #replace(state: unknown, version: number): void {
    this.#state = state
    this.#version = version
    this.#told = [this.snapshot()]
  }
}

/**
 * A step whose time and index are not known: a history has them of changes only. So the outcome of a transition that reads
 * them proves nothing.
 */
class UnknownStep implements Kind.Step {
  isRead = false

  get now(): number {
    this.isRead = true
    return 0
  }

  get index(): number {
    return this.now
  }
}
