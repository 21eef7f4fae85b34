/**
 * The client's end: one connection for the whole process, whatever the number of objects and fibers (S-6).
 *
 * ```text
 *   fiber ─► call ─► (window full: wait here) ─► frame of this turn ─► link
 *   link ─► frame ─► reply by sequence ─► the fiber resumes, in the turn in which the frame was read (S-9)
 * ```
 *
 * A call's life: `Waiting` (not sent) → `Sent` → `Parked` (waits in the manager) → `Answered` (owned, on its way
 * into the fiber) → gone; or `Cancelling` from any of them, until the manager says how it ended (S-10).
 *
 * When the link ends, the session ends: every pending and every later call fails with the same reason, at once (S-6). In
 * a session with a grace the calls wait for another link instead, over which they are sent again (`Resumption.ts`).
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type * as Scheduler from "effect/Scheduler"
import type * as Stream from "effect/Stream"
import type { Outcome } from "../engine/Inputs.ts"
import type { GrantId } from "../engine/Operation.ts"
import { SequenceMap } from "../engine/SequenceMap.ts"
import type { Argument, ObjectId } from "../engine/Value.ts"
import { type ManagerError, NotExecuted, OutcomeUnknown } from "../ManagerError.ts"
import { Reader } from "../protocol/Bytes.ts"
import { type FromServer, readFromServer } from "../protocol/Message.ts"
import type { Link } from "../transport/Link.ts"
import { type Agreement, directory, operationsIn } from "./Agreement.ts"
import { Call, type Complete } from "./Call.ts"
import { lost } from "./Failure.ts"
import { argumentShare, replyBytes } from "./frames.ts"
import { guardFor, stalledBy } from "./Guard.ts"
import { Holds } from "./Holds.ts"
import { Joint, type JointCall, jointCall, type JointSender, membership, refuse } from "./Joint.ts"
import { LongWaits } from "./LongWaits.ts"
import { Outbox } from "./Outbox.ts"
import { kept } from "./reason.ts"
import { HandleRegistry, listsIn, Received } from "./Received.ts"
import * as Resumption from "./Resumption.ts"
import { settled } from "./settled.ts"
import { StatusCell } from "./Status.ts"
import type { OperationInfo, Target } from "./Target.ts"
import { type Notification, Watches } from "./Watches.ts"
import { Window } from "./Window.ts"

const noOperations: ReadonlyMap<string, OperationInfo> = new Map()

const taken = (outcome: Outcome, index: number) => Exit.succeed([outcome, index] as const)

/** One session with a manager, seen from the client. */
export class Connection {
  readonly agreement: Agreement
  readonly outbox: Outbox
  readonly #writer: Outbox["writer"]
  readonly #context: Context.Context<never>
  readonly #operations: ReadonlyMap<string, ReadonlyMap<string, OperationInfo>>
  readonly #calls = new SequenceMap<Call>()
  /** The handles that this process received and has not given back. */
  readonly received: Received
  /** Calls that the window does not admit yet, in order, with their arguments. Arguments of sent calls are not kept. */
  readonly #waiting = new Map<Call, ReadonlyArray<Argument>>()
  /** The locks and permits that fibers of this process hold. */
  readonly holds = new Holds()
  readonly #watches = new Watches({
    subscribe: (target) => {
      if (this.ended !== undefined) return lost(target, "changes", NotExecuted, this.ended)
      const sequence = ++this.#sequence
      this.#writer.watch(sequence, target.id, this.agreement.limits.watchCredit)
      this.outbox.written()
      return sequence
    },
    credit: (sequence, more) => {
      this.#writer.credit(sequence, more)
      this.outbox.written()
    },
    unsubscribe: (sequence) => {
      this.#writer.unwatch(sequence)
      this.outbox.written()
    },
    giveBack: (parts) => this.received.giveBack(parts)
  })
  readonly #jointSender: JointSender = {
    send: (call, args) => void this.#begin(call, args),
    cancel: (call) => this.#cancel(call),
    own: (parts, fiber) => this.received.own(parts, fiber)
  }
  /** The waits of this process that are logged because they are long. */
  readonly longWaits: LongWaits
  readonly status = new StatusCell()
  /** Whether the session has a grace: then what the manager may have to be told again is kept. */
  readonly #isResumable: boolean
  #sequence = 0
  /** The last sequence that was sent over a link; those after it were written when there was none. */
  #lastSent = Infinity
  /** Whether anything has arrived since the manager was asked whether it is there. */
  isHeard = true
  /** The newest index that the manager has told. */
  seen = 0
  readonly #window: Window
  /** The call whose reply is being read. */
  #answering: Call | undefined = undefined
  /** Why the session has ended. */
  ended: string | undefined

  constructor(agreement: Agreement, link: Link, context: Context.Context<never>, scheduler: Scheduler.Scheduler) {
    this.agreement = agreement
    this.#operations = operationsIn(agreement.operations, context)
    this.#window = new Window(agreement.limits)
    this.#isResumable = agreement.graceMs > 0
    this.outbox = new Outbox(link, scheduler, agreement.limits.frameBytesMax, () => {
      const flushed = Result.try(this.#flush)
      if (Result.isFailure(flushed)) this.fail(flushed.failure)
    })
    this.#writer = this.outbox.writer
    this.#context = context
    this.received = new Received(Context.get(context, HandleRegistry), (id) => this.#drop(id), this.#isResumable)
    this.longWaits = new LongWaits(
      context,
      () => this.#calls.values(),
      (args, complete) => this.call(directory, this.operationsOf("Directory").get("holders")!, args, complete)
    )
  }

  /** The operations of a kind, by name: those that this manager has. */
  operationsOf(kind: string): ReadonlyMap<string, OperationInfo> {
    return this.#operations.get(kind) ?? noOperations
  }

  /** The bytes that the arguments of one call may have together (`bytesMaxOf`). */
  get argumentBytesMax(): number {
    return Math.floor(this.agreement.limits.frameBytesMax * argumentShare)
  }

  /** Calls that have not ended, for tests. */
  get pending(): number {
    return this.#calls.size + this.#waiting.size
  }

  // ---------------------------------------------------------------------------------------------------------------
  // calls
  // ---------------------------------------------------------------------------------------------------------------

  /**
   * Calls an operation that reads or changes. Interruptible at any point; a change that has committed stands (S-10).
   */
  call<A, E>(
    target: Target,
    operation: OperationInfo,
    args: ReadonlyArray<Argument>,
    complete: Complete<A, E>
  ): Effect.Effect<A, E | ManagerError> {
    return Effect.callback((resume) => {
      const fiber = Fiber.getCurrent()!
      const call = new Call(target, operation, guardFor(fiber, this), complete, resume, "plain", fiber)
      const member = membership(fiber)
      if (member !== undefined) return member.joint.add(this.#jointSender, member.position, call, args)
      return this.#begin(call, args) ? this.#cancel(call) : undefined
    })
  }

  /** Makes calls as one request (S-2), as `jointCall`. The handles in its reply belong to the session. */
  callJoint<A, E>(calls: ReadonlyArray<JointCall>, complete: Complete<A, E>): Effect.Effect<A, E | ManagerError> {
    return Effect.callback((resume) => {
      const fiber = Fiber.getCurrent()!
      const call = jointCall(calls, guardFor(fiber, this), complete, resume, fiber)
      if (membership(fiber) !== undefined) return refuse(call, "a transaction cannot be made together with other calls")
      return this.#begin(call, calls.flatMap(({ args }) => args)) ? this.#cancel(call) : undefined
    })
  }

  /**
   * Runs effects that make one call each over this connection, to distinct objects. The calls are one request: they
   * take effect together, or none does (S-2). An interruption withdraws all of them.
   */
  together<A, E, R>(effects: ReadonlyArray<Effect.Effect<A, E, R>>): Effect.Effect<Array<A>, E, R> {
    return Effect.suspend(() => {
      const joint = new Joint(this.#jointSender, effects.length)
      const members = effects.map((effect, position) => joint.member(effect, position))
      return Effect.all(members, { concurrency: "unbounded" })
    })
  }

  /**
   * Calls an operation whose reply must not get lost: a grant, or a handle. It is the fiber's once `complete` has run;
   * an interruption before that gives it back (S-9, S-10), and none can come between it and what follows.
   *
   * `restore` makes the waiting interruptible: call this where interruption is masked. What `complete` does not accept
   * is handed to `reject` with its index, and acknowledged only after that (S-19).
   */
  callOwned<A, E>(
    restore: <X, Y, R>(effect: Effect.Effect<X, Y, R>) => Effect.Effect<X, Y, R>,
    target: Target,
    operation: OperationInfo,
    args: ReadonlyArray<Argument>,
    complete: Complete<A, E>,
    reject: OperationInfo | undefined
  ): Effect.Effect<A, E | ManagerError> {
    return Effect.suspend(() => {
      let call: Call | undefined
      const granted = Effect.callback<readonly [Outcome, number], ManagerError>((resume) => {
        const fiber = Fiber.getCurrent()!
        call = new Call(target, operation, guardFor(fiber, this), taken, resume, "owned", fiber)
        if (membership(fiber) !== undefined) return refuse(call, "what must be given back cannot be got with others")
        return this.#begin(call, args) ? this.#cancel(call) : undefined
      })
      return Effect.flatMap(restore(granted), ([outcome, index]) => {
        const { sequence } = call!
        const acknowledge = () => {
          this.#calls.delete(sequence)
          return Exit.succeed(this.outbox.acknowledge(sequence))
        }
        const exit = complete(outcome, index)
        if (outcome._tag === "Success" && Exit.isFailure(exit) && reject !== undefined) {
          const rejection = new Call(target, reject, [], acknowledge, () => {}, "settling", undefined)
          this.#begin(rejection, [index, kept(Cause.pretty(exit.cause))])
        } else acknowledge()
        return exit
      })
    })
  }

  /** Makes a call without a fiber that waits for it. */
  tell(call: Call, args: ReadonlyArray<Argument>): void {
    this.#begin(call, args)
  }

  /** Whether a call has begun; one that has not has failed. */
  #begin(call: Call, args: ReadonlyArray<Argument>): boolean {
    if (this.ended !== undefined) {
      call.fail(lost(call.target, call.operation.name, NotExecuted, this.ended))
      return false
    }
    const isFull = this.#waiting.size > 0 || this.#window.isFull
    // A call that settles a grant bypasses the window: other calls may wait for that grant (S-8).
    if (isFull && call.role !== "settling") this.#waiting.set(call, args)
    else this.#send(call, args)
    return true
  }

  #send(call: Call, args: ReadonlyArray<Argument>): void {
    call.sequence = ++this.#sequence
    if (!this.#write(call, args)) {
      const details = [...call.joint === undefined ? [] : [0], "frameBytesMax", this.agreement.limits.frameBytesMax]
      return call.answer({ _tag: "Failure", error: "LimitExceeded", details }, 0)
    }
    call.state = "Sent"
    call.handles = listsIn(args)
    if (this.#isResumable) call.args = args
    this.#calls.set(call)
    this.#window.enter(call)
    this.outbox.written()
  }

  /** Whether a request fits into the frame of this turn, or else into the next one, and was written. */
  #write(call: Call, args: ReadonlyArray<Argument>): boolean {
    const { fiber, guard, joint, operation, sequence, target } = call
    // A call without a fiber has no guard.
    const stalls = guard.length === 0 ? 0 : stalledBy(fiber!, this)
    const bytesMax = this.agreement.limits.frameBytesMax - replyBytes
    const isFirst = this.#writer.isEmpty
    call.tellSpan(this.#writer)
    const before = this.#writer.bytes
    const isWritten = joint === undefined
      ? this.#writer.request(sequence, target.id, operation.position, guard, stalls, args, bytesMax)
      : this.#writer.joint(sequence, guard, joint, bytesMax)
    call.bytes = this.#writer.bytes - before
    if (isWritten || isFirst) return isWritten
    this.outbox.sendFrame()
    return this.#write(call, args)
  }

  /** Withdraws the call of an interrupted fiber. */
  #cancel(call: Call): Effect.Effect<void> {
    return Effect.suspend(() => {
      const isWaiting = this.#waiting.delete(call)
      if (!isWaiting && this.#calls.get(call.sequence) === undefined) return Effect.void
      if (call.state !== "Answered") call.ended("cancelled")
      if (isWaiting) return Effect.void
      this.#window.leave(call)
      const isRead = call.operation.access === "read"
      const wasSent = call.sequence <= this.#lastSent
      // A read has nothing to undo: its reply is ignored. The cancel matters if the manager has deferred or parked it.
      if (!wasSent || isRead && !this.#isResumable) this.#calls.delete(call.sequence)
      if (!wasSent) return Effect.void
      call.state = "Cancelling"
      this.#writer.cancel(call.sequence)
      this.outbox.written()
      return isRead || !this.outbox.isLinked ? Effect.void : settled(call, this.#context)
    })
  }

  // ---------------------------------------------------------------------------------------------------------------
  // what the manager says
  // ---------------------------------------------------------------------------------------------------------------

  /** Reads one frame; false if it is not of this protocol. */
  readonly onFrame = (frame: Uint8Array): boolean => {
    this.outbox.isReading = true
    const reader = new Reader(frame)
    while (!reader.done) {
      const message = readFromServer(reader, this.agreement.session)
      if (!reader.malformed) this.#hear(message)
    }
    return !reader.malformed
  }

  /** Sends the calls of the fibers that this turn resumed. */
  readonly onTurnEnd = (): void => {
    this.isHeard = true
    this.outbox.isReading = false
    this.#flush()
  }

  #hear(message: FromServer): void {
    switch (message._tag) {
      case "Reply":
        this.seen = Math.max(this.seen, message.index)
        return this.#hearReply(message.sequence, message.outcome, message.index)
      case "Parked": {
        const call = this.#calls.get(message.sequence)
        if (call?.state !== "Sent") return
        this.#window.leave(call)
        call.park()
        return this.longWaits.begin(call)
      }
      case "Cancelled":
        return this.#hearCancelled(message.sequence)
      case "Event":
        this.received.add(message.parts)
        return this.#watches.tell(message.sequence, message.event, message.parts)
      case "Revoked":
        return this.holds.revoke(message.grant)
      case "Closing":
        this.outbox.sayGoodbye()
        this.end(message.reason)
    }
  }

  #hearReply(sequence: number, outcome: Outcome, index: number): void {
    const call = this.#calls.get(sequence)
    const bears = outcome._tag === "Success" && this.received.add(outcome.reply)
    if (call === undefined) {
      return outcome._tag === "Success"
        ? this.#watches.tell(sequence, "snapshot", outcome.reply)
        : this.#watches.refuse(sequence, outcome)
    }
    if (call.state === "Cancelling") {
      call.late = outcome
      return
    }
    this.#window.leave(call)
    // Of several calls, each owns what its own part of the reply bears.
    if (bears && call.joint === undefined) this.received.own(outcome.reply, call.fiber)
    if (call.role === "owned" && outcome._tag === "Success") {
      call.state = "Answered"
      call.late = outcome
    } else {
      this.#calls.delete(sequence)
      if (this.#isResumable || call.operation.access !== "read") this.outbox.acknowledge(sequence)
    }
    this.#answering = call
    call.answer(outcome, index)
    this.#answering = undefined
  }

  /** Whatever its fate, the manager has forgotten the call. */
  #hearCancelled(sequence: number): void {
    const call = this.#calls.get(sequence)
    if (call === undefined) return
    this.#calls.delete(sequence)
    if (this.#isResumable) this.outbox.acknowledge(sequence)
    if (call.late?._tag === "Success") this.received.giveBack(call.late.reply)
    call.onSettled?.()
  }

  // ---------------------------------------------------------------------------------------------------------------
  // handles, holds, watches
  // ---------------------------------------------------------------------------------------------------------------

  #drop(id: ObjectId): void {
    if (this.ended !== undefined) return
    this.#writer.drop(id, 1)
    this.outbox.written()
  }

  /** Registers a hold and a callback for its loss, which is told the reason; returns a function that unregisters them. */
  onLost(hold: GrantId, lost: (why: string) => void): () => void {
    if (this.ended !== undefined) lost(this.ended)
    return this.holds.add(hold, lost)
  }

  /** The changes of an object: its snapshot, then every change in order, without a silent gap (S-29). */
  watch(target: Target): Stream.Stream<Notification, ManagerError> {
    return this.#watches.stream(target)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // links
  // ---------------------------------------------------------------------------------------------------------------

  /** Asks whether the manager is there. */
  ping(): void {
    this.isHeard = false
    this.#writer.ping()
    this.outbox.written()
  }

  /** The link is lost. Until there is another one, what is sent goes nowhere. `since`: milliseconds of the epoch. */
  unlink(since: number): void {
    if (this.ended !== undefined) return
    this.outbox.relink(undefined)
    this.#lastSent = this.#sequence
    this.status.set({ _tag: "Reconnecting", since })
  }

  /** There is another link to the same session. */
  relink(link: Link): void {
    if (this.ended !== undefined) return
    this.outbox.relink(link)
    this.#lastSent = Infinity
    const calls = this.#calls.values()
    const { holds, received } = this
    Resumption.say(this.outbox, { calls, sequence: this.#sequence, received, holds })
    for (const call of calls) {
      if (call.state !== "Sent" && call.state !== "Parked") continue
      // The window counts these bytes.
      const { bytes } = call
      this.#write(call, call.args!)
      call.bytes = bytes
      this.outbox.written()
    }
    this.#watches.again()
    this.status.set({ _tag: "Connected" })
  }

  // ---------------------------------------------------------------------------------------------------------------
  // the end
  // ---------------------------------------------------------------------------------------------------------------

  /** Says goodbye: the session ends now, and what it holds is released. */
  close(): void {
    if (this.ended !== undefined) return
    this.outbox.sayGoodbye()
    this.end("the scope of this manager was closed")
  }

  /** Ends it because of a defect of its own: it is logged once, and every call is told of it. */
  fail(defect: unknown): void {
    if (this.ended !== undefined) return
    const why = `a defect of this client has ended its session (${defect})`
    Effect.runForkWith(this.#context)(
      Effect.logError(`${why}: its locks and other holds are released, and its calls fail`, Cause.die(defect))
    )
    // What was being written may be cut off: the manager then ends the session for that.
    Result.try(() => this.outbox.sayGoodbye())
    this.#answering?.resume(Exit.die(defect))
    this.end(`${why}; the log has its stack`)
  }

  /** Fails every pending call, watch and hold, and from now on every call (S-7). */
  end(why: string): void {
    if (this.ended !== undefined) return
    this.ended = why
    const calls = this.#calls.values()
    this.#calls.clear()
    const waiting = [...this.#waiting.keys()]
    this.#waiting.clear()
    this.holds.tripAll(why)
    this.longWaits.stop()
    this.status.set({ _tag: "Lost", why })
    for (const call of calls) {
      if (call.state === "Cancelling") call.onSettled?.()
      else {
        const wasSent = call.sequence <= this.#lastSent
        call.fail(lost(call.target, call.operation.name, wasSent ? OutcomeUnknown : NotExecuted, why))
      }
    }
    for (const call of waiting) call.fail(lost(call.target, call.operation.name, NotExecuted, why))
    this.#watches.failAll((target) => lost(target, "changes", NotExecuted, why))
  }

  // ---------------------------------------------------------------------------------------------------------------
  // sending
  // ---------------------------------------------------------------------------------------------------------------

  /** Sends what was written, and calls that had no room in the window. */
  readonly #flush = (): void => {
    this.outbox.gather()
    if (this.ended !== undefined) return
    for (const [call, args] of this.#waiting) {
      if (this.#window.isFull) break
      this.#waiting.delete(call)
      this.#send(call, args)
    }
    this.outbox.sendFrame()
  }
}
