/**
 * A call, from when it is made until it has ended.
 */
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import type { CallInput, Outcome } from "../engine/Inputs.ts"
import type { GrantId } from "../engine/Operation.ts"
import type { Argument, ObjectId } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import type { CallOutcome } from "../metrics/Recorder.ts"
import type { ClientWriter } from "../protocol/Message.ts"
import * as Span from "../tracing/Span.ts"
import type { OperationInfo, Target } from "./Target.ts"

/** Turns a reply into the exit of its fiber. Runs in the turn in which the reply is read. */
export type Complete<A, E> = (outcome: Outcome, index: number) => Exit.Exit<A, E>

/**
 * *owned*: kept until its fiber has taken the reply. *settling*: gives something back, and waits for no window (S-8).
 */
export type Role = "plain" | "owned" | "settling"

/**
 * One call. A class, not a literal: once literals of one allocation site have lived long, V8 allocates all of them in
 * its old space, and there each keeps the objects that it refers to from being collected young.
 */
export class Call {
  readonly target: Target
  readonly operation: OperationInfo
  readonly guard: ReadonlyArray<GrantId>
  readonly complete: Complete<unknown, unknown>
  readonly resume: (exit: Exit.Exit<never, ManagerError>) => void
  readonly role: Role
  /** The fiber that waits for it. */
  readonly fiber: Fiber.Fiber<unknown, unknown> | undefined
  readonly span: Tracer.Span | undefined
  /** Given when it is sent: sequences go out in order. */
  sequence = 0
  /** Of its request, once it is sent. */
  bytes = 0
  state: "Waiting" | "Sent" | "Parked" | "Answered" | "Cancelling" = "Waiting"
  /** A reply that came while the call was being cancelled, or that its fiber has not taken yet. */
  late: Outcome | undefined = undefined
  onSettled: (() => void) | undefined = undefined
  /** When it began to wait in the manager, in milliseconds, if a long wait is to be logged (`LongWaits`). */
  waitsSince: number | undefined = undefined
  /** When it began to wait in the manager, in seconds of its meter, if its operation has one. */
  parkedSince: number | undefined = undefined
  /** The handles in its arguments, once it is sent. Their objects must exist when the manager runs the call. */
  handles: ReadonlyArray<ReadonlyArray<ObjectId>> | undefined = undefined
  /** Kept once it is sent, if it may have to be sent again. */
  args: ReadonlyArray<Argument> | undefined = undefined
  /** The calls that this one stands for: they are one request. */
  joint: ReadonlyArray<CallInput> | undefined = undefined

  constructor(
    target: Target,
    operation: OperationInfo,
    guard: ReadonlyArray<GrantId>,
    complete: Complete<unknown, unknown>,
    resume: Call["resume"],
    role: Role,
    fiber: Call["fiber"]
  ) {
    this.target = target
    this.operation = operation
    this.guard = guard
    this.complete = complete
    this.resume = resume
    this.role = role
    this.fiber = fiber
    this.span = operation.kind === undefined
      ? undefined
      : Span.begin(fiber, () => ({
        name: `${operation.kind}.${operation.name}`,
        attributes: { "multiprocessing.object": target.description }
      }))
  }

  /** It waits in the manager. */
  park(): void {
    this.state = "Parked"
    this.parkedSince = this.operation.meter?.now()
  }

  /** Tells the manager its span, before its request. */
  tellSpan(writer: ClientWriter): void {
    if (this.span !== undefined) writer.traced(this.sequence, Span.textOf(this.span))
  }

  /** It is over for its meter and its span. */
  ended(outcome: CallOutcome, error?: string): void {
    this.operation.meter?.ended(outcome, error, this.parkedSince)
    if (this.span !== undefined) Span.end(this.span, this.fiber!.context, outcome, error)
  }

  answer(outcome: Outcome, index: number): void {
    if (outcome._tag === "Success") this.ended("success")
    else this.ended("refused", outcome.error)
    // The caller's `resume` takes the exits of its own `complete`.
    this.resume(this.complete(outcome, index) as Exit.Exit<never, ManagerError>)
  }

  fail(error: ManagerError): void {
    this.ended("failed", error.reason._tag)
    this.resume(Exit.fail(error))
  }
}
