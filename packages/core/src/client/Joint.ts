/**
 * Calls that take effect together: fibers that make one call each, gathered into one request (S-2).
 *
 * ```text
 *   member ─► its call ─┐
 *   member ─► its call ─┴─► when no member is missing: one request ─► one reply ─► each member gets its own
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Outcome } from "../engine/Inputs.ts"
import type { Reply } from "../engine/Operation.ts"
import type { Argument } from "../engine/Value.ts"
import { CrossSpace, InvalidRequest, ManagerError, type ManagerErrorReason } from "../ManagerError.ts"
import { refusalOf, resultsOf } from "../protocol/JointReply.ts"
import { Call } from "./Call.ts"
import type { OperationInfo, Target } from "./Target.ts"

/** How a joint request is sent and cancelled: the part of the connection that it needs. */
export interface JointSender {
  /** Sends a call, or what is gathered in one. */
  readonly send: (call: Call, args: ReadonlyArray<Argument>) => void
  readonly cancel: (call: Call) => Effect.Effect<void>
  /** Ties the handles in a reply to the scope that a fiber has named for them. */
  readonly own: (parts: Reply, fiber: Call["fiber"]) => void
}

/** The place of the running fiber among those whose calls are gathered; absent: its calls are its own. */
const Membership = Context.Reference<{ readonly joint: Joint; readonly position: number } | undefined>(
  "@effect-multiprocessing/core/Joint",
  { defaultValue: () => undefined }
)

/** Where the calls of a fiber are gathered. */
export const membership = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.getRef(Membership)

/** One of several calls that are one request. */
export interface JointCall {
  readonly target: Target
  readonly operation: OperationInfo
  readonly args: ReadonlyArray<Argument>
}

/**
 * Makes calls into one. `complete` gets the reply to all of them: of more than one as `resultsOf` and `refusalOf` read it.
 */
export const jointCall = (
  calls: ReadonlyArray<JointCall>,
  guard: Call["guard"],
  complete: Call["complete"],
  resume: Call["resume"],
  fiber: Call["fiber"]
): Call => {
  const [{ operation, target }] = calls as readonly [JointCall, ...ReadonlyArray<JointCall>]
  if (calls.length === 1) return new Call(target, operation, guard, complete, resume, "plain", fiber)
  const call = new Call(
    new JointTarget(target.id, target.name, calls),
    new JointOperation(calls),
    guard,
    complete,
    resume,
    "plain",
    fiber
  )
  call.joint = calls.map(({ args, operation, target }) => ({ object: target.id, operation: operation.position, args }))
  return call
}

/** The objects of several calls. Few are ever named, so their description is made when it is read. */
class JointTarget implements Target {
  readonly id: Target["id"]
  readonly name: string | undefined
  readonly #calls: ReadonlyArray<JointCall>

  constructor(id: Target["id"], name: string | undefined, calls: ReadonlyArray<JointCall>) {
    this.id = id
    this.name = name
    this.#calls = calls
  }

  get description(): string {
    return this.#calls.map(({ target }) => target.description).join(", ")
  }
}

/** The operations of several calls. */
class JointOperation implements OperationInfo {
  readonly kind = undefined
  readonly position = 0
  /** Each call that is gathered has its own. */
  readonly meter = undefined
  readonly access: OperationInfo["access"]
  readonly #calls: ReadonlyArray<JointCall>

  constructor(calls: ReadonlyArray<JointCall>) {
    this.access = calls.every(({ operation }) => operation.access === "read") ? "read" : "change"
    this.#calls = calls
  }

  get name(): string {
    return this.#calls.map(({ operation }) => operation.name).join(", ")
  }
}

/** The calls of some fibers over one connection. */
export class Joint {
  readonly #sender: JointSender
  readonly #calls: Array<Call | undefined>
  readonly #args: Array<ReadonlyArray<Argument>>
  #missing: number
  #leader: Call | undefined

  constructor(sender: JointSender, members: number) {
    this.#sender = sender
    this.#calls = Array.from({ length: members }, () => undefined)
    this.#args = Array.from({ length: members }, () => [])
    this.#missing = members
  }

  /** An effect whose only call is gathered. One that makes no call is nothing to wait for; one that fails ends all. */
  member<A, E, R>(effect: Effect.Effect<A, E, R>, position: number): Effect.Effect<A, E, R> {
    return effect.pipe(
      Effect.tap(() => Effect.sync(() => this.#calls[position] ?? this.#arrived())),
      // Later: this failure, and not that of a call that is refused for it, is the one of all.
      Effect.onError(() => Effect.forkDetach(Effect.sync(() => this.#abandon()))),
      Effect.provideService(Membership, { joint: this, position })
    )
  }

  /** Gathers a call of a member; returns what its interruption does, if it has begun. */
  add(
    sender: JointSender,
    position: number,
    call: Call,
    args: ReadonlyArray<Argument>
  ): Effect.Effect<void> | undefined {
    if (this.#missing === Infinity) return refuse(call, abandoned)
    if (sender !== this.#sender) return fail(call, (named) => new CrossSpace(named))
    if (this.#calls[position] !== undefined) {
      return refuse(call, "calls together are of effects that make one call each")
    }
    this.#calls[position] = call
    this.#args[position] = args
    this.#arrived()
    return Effect.suspend(() => this.#cancel())
  }

  #arrived(): void {
    if (--this.#missing > 0) return
    const calls = this.#calls.filter((call) => call !== undefined)
    const args = this.#args.filter((_, i) => this.#calls[i] !== undefined)
    if (calls.length === 0) return
    this.#leader = calls.length === 1 ? calls[0]! : leader(this.#sender, calls, args)
    this.#sender.send(this.#leader, args[0]!)
  }

  /** No request comes of calls of which one is missing for good. A fiber that cannot be interrupted waits for its own. */
  #abandon(): void {
    if (this.#missing <= 0) return
    this.#missing = Infinity
    for (const call of this.#calls) if (call !== undefined) refuse(call, abandoned)
  }

  /** All members are interrupted together: the first cancels for all. */
  #cancel(): Effect.Effect<void> {
    const leader = this.#leader
    this.#leader = undefined
    if (leader === undefined) return Effect.void
    for (const call of this.#calls) if (call !== leader) call?.ended("cancelled")
    return this.#sender.cancel(leader)
  }
}

const abandoned = "another one of the calls together was not made, because its effect has ended"

/** Fails a call that cannot be one of several. */
export const refuse = (call: Call, issue: string): undefined =>
  fail(call, (named) => new InvalidRequest({ ...named, issue }))

const fail = (
  call: Call,
  reasonOf: (named: { readonly object: string; readonly operation: string }) => ManagerErrorReason
): undefined => {
  const { operation, target } = call
  call.fail(new ManagerError({ reason: reasonOf({ object: target.description, operation: operation.name }) }))
}

/** The call that stands for all, and hands the reply on. */
const leader = (
  sender: JointSender,
  calls: ReadonlyArray<Call>,
  args: ReadonlyArray<ReadonlyArray<Argument>>
): Call => {
  const [{ fiber, guard }] = calls as readonly [Call, ...ReadonlyArray<Call>]
  return jointCall(
    calls.map(({ operation, target }, i) => ({ operation, target, args: args[i]! })),
    guard,
    (outcome, index) => Exit.succeed(distribute(sender, calls, outcome, index)),
    (exit) => {
      if (Exit.isFailure(exit)) { for (const member of calls) member.resume(exit) }
    },
    fiber
  )
}

/** If one was refused its member fails, and with it the others are interrupted. */
const distribute = (sender: JointSender, calls: ReadonlyArray<Call>, outcome: Outcome, index: number): void => {
  if (outcome._tag === "Success") {
    for (const [i, result] of resultsOf(outcome.reply).entries()) {
      const call = calls[i]!
      sender.own(result.outcome.reply, call.fiber)
      call.answer(result.outcome, result.index)
    }
  } else {
    const refusal = refusalOf(outcome)
    calls[refusal.call]!.answer(refusal.outcome, index)
  }
}
