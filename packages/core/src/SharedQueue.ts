/**
 * A queue between processes: Effect's bounded `Queue`, whose deliveries survive their consumer (S-17 to S-19).
 *
 * Work that must finish uses `process`: the item is gone only when the work has succeeded, and comes back with a
 * higher attempt when its worker dies. A plain `take` hands the item over for good.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { queue } from "./engine/kinds/queue.ts"
import type { GrantId } from "./engine/Operation.ts"
import { type Argument, bytesMaxOf, type Cell } from "./engine/Value.ts"
import type { ManagerError } from "./ManagerError.ts"
import { all, encoded } from "./proxy/exits.ts"
import type { Manager } from "./proxy/Manager.ts"
import type { Refusals, Remote, Restore } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"
import * as ValueCodec from "./proxy/ValueCodec.ts"

/** The queue was closed: nothing more can be offered, and it is empty. A failed offer had no effect. */
export class QueueClosed extends Schema.TaggedError<QueueClosed>()("QueueClosed", { queue: Schema.String }) {
  override get message(): string {
    return `${this.queue} is closed`
  }
}

/** The lease had ended before the work was acknowledged: the item may be delivered again, or already was. */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", {
  queue: Schema.String,
  lease: Schema.Number
}) {
  override get message(): string {
    return `lease ${this.lease} of ${this.queue} is not held: it was settled before, or by nobody of this session`
  }
}

/** What is known of a delivery besides its item. */
export interface Delivery {
  /** 1 at first; one more for each delivery that failed, or whose worker died. */
  readonly attempt: number
}

/** A delivered item that must be settled. What is not settled when the scope ends is given back. */
export interface Lease<out A> extends Delivery {
  readonly item: A
  /** The work is done: the item is gone. */
  readonly ack: Effect.Effect<void, LeaseLost | ManagerError>
  /** The work failed: the item comes back with one more attempt, or becomes a dead letter. */
  readonly nack: (reason: string) => Effect.Effect<void, LeaseLost | ManagerError>
}

/** An item that failed `attempts` times, or could not be decoded. */
export interface DeadLetter<out A> {
  readonly item: Exit.Exit<A, ManagerError>
  readonly attempts: number
  readonly reason: string
}

/** A queue between processes. */
export interface SharedQueue<in out A> extends Shared.Shared {
  /**
   * Adds an item; waits while the queue is full.
   *
   * **Fairness** First come first served. **Cancellation** Interruptible while it waits; then nothing was added.
   * **On disconnect** `ManagerError`, whose reason says whether the item was added.
   */
  readonly offer: (value: A) => Effect.Effect<void, QueueClosed | ManagerError>
  /**
   * Adds items in order, waiting for room; answers those that were not accepted because the queue was closed. Those for
   * which there is room go together, in one call; the others wait each for itself, one behind the other.
   *
   * **Fairness**, **On disconnect** as for `offer`. **Cancellation** Interruptible while it waits; what was added by
   * then stays. An item that does not encode fails before any was added.
   */
  readonly offerAll: (values: Iterable<A>) => Effect.Effect<Array<A>, ManagerError>
  /** Adds an item if that need not wait; answers whether it did (Python's `put_nowait`). */
  readonly offerIfRoom: (value: A) => Effect.Effect<boolean, QueueClosed | ManagerError>
  /**
   * Takes the first item, waits for one, and runs `f` on it: acknowledged when `f` succeeds, given back when it fails
   * (one more attempt), is interrupted (the same attempt) or its process dies (one more attempt).
   *
   * **Fairness** First come first served. **Cancellation** Interruptible at any point; the item comes back to its old
   * place. **On disconnect** `ManagerError`; the item comes back in the manager.
   */
  readonly process: <B, E, R>(
    f: (value: A, delivery: Delivery) => Effect.Effect<B, E, R>
  ) => Effect.Effect<B, E | QueueClosed | LeaseLost | ManagerError, Exclude<R, Scope.Scope>>
  /**
   * Processes items as they come, one after another, until the queue is closed and drained. The first failure of `f`
   * ends it, `QueueClosed` of another queue included; for several at a time run it several times.
   *
   * **Fairness**, **Cancellation** and **On disconnect** as `process`.
   */
  readonly processAll: <B, E, R>(
    f: (value: A, delivery: Delivery) => Effect.Effect<B, E, R>
  ) => Effect.Effect<void, E | LeaseLost | ManagerError, Exclude<R, Scope.Scope>>
  /**
   * Takes the first item, waits for one. It is the caller's once this effect has succeeded: what the process then
   * loses is lost.
   *
   * **Fairness** First come first served. **Cancellation** Interruptible while it waits; an item under way goes back
   * to its old place. **On disconnect** `ManagerError`; an item under way stays in the queue.
   */
  readonly take: Effect.Effect<A, QueueClosed | ManagerError>
  /** As `take`, but nothing where that would wait or find the queue closed (Python's `get_nowait`). */
  readonly poll: Effect.Effect<Option.Option<A>, ManagerError>
  /** Items as they are taken, one for each that is asked for; ends when the queue is closed and drained. */
  readonly stream: Stream.Stream<A, ManagerError>
  /** As `take`, and the item must be settled while the scope lives. */
  readonly takeLease: Effect.Effect<Lease<A>, QueueClosed | ManagerError, Scope.Scope>
  /** No more offers, those that wait fail; takers drain what is left. */
  readonly close: Effect.Effect<void, ManagerError>
  /** Drops every item that waits to be taken, and answers how many these were. What is being worked on is not among them. */
  readonly clear: Effect.Effect<number, ManagerError>
  /** Items that wait to be taken. */
  readonly size: Effect.Effect<number, ManagerError>
  /** Whether no item waits to be taken. */
  readonly isEmpty: Effect.Effect<boolean, ManagerError>
  /** Whether `offer` would wait. */
  readonly isFull: Effect.Effect<boolean, ManagerError>
  /**
   * Waits until no item waits to be taken. The manager looks at every change and sends one message: a moment is enough
   * (S-29).
   *
   * **Fairness** Waiting holds up nobody; all who wait for this go at once. **Cancellation** Interruptible; the manager
   * forgets the call. **On disconnect** `ManagerError`.
   */
  readonly untilEmpty: Effect.Effect<void, ManagerError>
  /**
   * Waits until every item that was accepted has been settled: taken, worked on with success, dropped, or given up as a
   * dead letter (Python's `join`). Otherwise as `untilEmpty`.
   */
  readonly untilSettled: Effect.Effect<void, ManagerError>
  /** What could not be worked on, oldest first. */
  readonly deadLetters: Effect.Effect<ReadonlyArray<DeadLetter<A>>, ManagerError>
}

/** What a queue is made with. */
export interface Options<S extends Schema.Top> {
  readonly item: S
  /** Items that wait or are leased before `offer` waits. Default 1024. `Infinity`: never. */
  readonly capacity?: number | undefined
  /** Deliveries that may fail before an item is a dead letter. Default 5. */
  readonly attempts?: number | undefined
}

const kind = "Queue"

type Services<S extends Schema.Top> = S["DecodingServices"] | S["EncodingServices"]

type QueueRemote = Remote<typeof queue>

const facade = <S extends Schema.Top>(
  item: S
): Shared.Facade<SharedQueue<S["Type"]>, typeof queue, ValueCodec.ValueCodec<S["Type"]>, Services<S>> => ({
  kind,
  values: { fingerprint: ValueCodec.fingerprint(item), codecs: ValueCodec.make(item) },
  proxy
})

const creation = <S extends Schema.Top>({ attempts = 5, capacity = 1_024 }: Options<S>) => ({
  options: { capacity, attempts }
})

/** Names a queue as a service: `class Jobs extends SharedQueue.Service<Jobs>()("app/Jobs", { item: Job }) {}`. */
export const Service = <Self>() => <const Id extends string, S extends Schema.Top>(id: Id, options: Options<S>) =>
  Shared.service<Self>()(id, facade(options.item), creation(options))

/** Opens a queue by name, or makes one without a name, for the life of the scope. */
export const make = <S extends Schema.Top>(
  options: Options<S> & { readonly name?: string | undefined }
): Effect.Effect<SharedQueue<S["Type"]>, Shared.OpenError, Manager | Scope.Scope | Services<S>> =>
  Shared.open(facade(options.item), creation(options), options.name)

/** A queue's handle as a value. */
export const schema = <S extends Schema.Top>(item: S): Shared.HandleSchema<SharedQueue<S["Type"]>, Services<S>> =>
  Shared.handleSchema(facade(item))

/** Whether something is a queue. */
export const isSharedQueue = (u: unknown): u is SharedQueue<unknown> => Shared.isShared(kind)(u)

// internals

const whenClosed: Refusals<"QueueClosed", QueueClosed> = { QueueClosed: (_, queue) => new QueueClosed({ queue }) }

/** The end of `processAll`: told apart from `QueueClosed` of another queue, with which `f` may fail. */
class Drained {
  readonly _tag = "Drained"
}

const whenDrained: Refusals<"QueueClosed", Drained> = { QueueClosed: () => new Drained() }

const whenNotHeld: Refusals<"NotHeld", LeaseLost> = {
  NotHeld: ([lease], queue) => new LeaseLost({ queue, lease: Number(lease) })
}

const proxy = <A>(remote: QueueRemote, codec: ValueCodec.ValueCodec<A>): SharedQueue<A> => {
  const take = Effect.uninterruptibleMask((restore) =>
    remote.callOwned(restore, "take", [], ([cell]) => remote.decode("take", codec, cell), whenClosed, "reject")
  )
  return {
    [Shared.TypeId]: remote,
    offer: (value) => encoded(() => remote.encode("offer", codec, value), (cell) => offer(remote, cell)),
    offerAll: (values) => Effect.suspend(() => offerAll(remote, codec, Array.from(values))),
    offerIfRoom: (value) =>
      encoded(
        () => remote.encode("offerIfRoom", codec, value),
        (cell) => remote.call("offerAll", [cell], ([accepted]) => Exit.succeed(accepted === 1), whenClosed)
      ),
    process: (f) => process(remote, codec, f, whenClosed),
    processAll: (f) =>
      Effect.forever(process(remote, codec, f, whenDrained)).pipe(
        Effect.catch((error) => error instanceof Drained ? Effect.void : Effect.fail(error))
      ),
    take,
    stream: Stream.fromEffectRepeat(Effect.catchTag(take, "QueueClosed", () => Cause.done())),
    poll: Effect.uninterruptibleMask((restore) =>
      remote.callOwned(
        restore,
        "poll",
        [],
        ([cell]) =>
          cell === undefined
            ? Exit.succeed(Option.none<A>())
            : Exit.map(remote.decode("poll", codec, cell), Option.some),
        undefined,
        "reject"
      )
    ),
    takeLease: takeLease(remote, codec),
    clear: remote.call("clear", [], ([dropped]) => Exit.succeed(dropped)),
    close: remote.call("close", [], () => Exit.void),
    size: remote.call("size", [], ([queued]) => Exit.succeed(queued)),
    isEmpty: remote.call("size", [], ([queued]) => Exit.succeed(queued === 0)),
    isFull: remote.call("isFull", [], ([isFull]) => Exit.succeed(isFull === 1)),
    untilEmpty: remote.call("untilEmpty", [], () => Exit.void),
    untilSettled: remote.call("untilSettled", [], () => Exit.void),
    deadLetters: remote.call("deadLetters", [], (parts) => Exit.succeed(deadLetters(remote, codec, parts)))
  }
}

const offer = (remote: QueueRemote, cell: Cell) => remote.call("offer", [cell], () => Exit.void, whenClosed)

/** The bytes of the items that travel in one call, at most. */
const batchBytes = 768 * 1024

/** The cells from a position on that travel in one call; at least one. */
const batch = (cells: ReadonlyArray<Cell>, start: number, bytesMax: number): ReadonlyArray<Cell> => {
  let end = start
  for (let bytes = 0; end < cells.length; end++) {
    bytes += bytesMaxOf(cells[end]!)
    if (bytes > bytesMax && end > start) break
  }
  return cells.slice(start, end)
}

const offerAll = <A>(
  remote: QueueRemote,
  codec: ValueCodec.ValueCodec<A>,
  values: ReadonlyArray<A>
): Effect.Effect<Array<A>, ManagerError> => {
  const bytesMax = Math.min(batchBytes, remote.connection.argumentBytesMax)
  return Effect.flatMapEager(all(values.map((value) => remote.encode("offerAll", codec, value))), (cells) => {
    const from = (start: number): Effect.Effect<Array<A>, ManagerError> => {
      if (start === cells.length) return Effect.succeed([])
      const some = batch(cells, start, bytesMax)
      return Effect.matchEffect(remote.call("offerAll", some, ([accepted]) => Exit.succeed(accepted), whenClosed), {
        onFailure: (error) => error._tag === "QueueClosed" ? Effect.succeed(values.slice(start)) : Effect.fail(error),
        onSuccess: (accepted) => accepted === some.length ? from(start + accepted) : oneByOne(start + accepted)
      })
    }
    // At once: they travel in one frame and wait in the order in which they were given.
    const oneByOne = (start: number): Effect.Effect<Array<A>, ManagerError> =>
      Effect.map(
        Effect.forEach(cells.slice(start), (cell, i) =>
          offer(remote, cell).pipe(
            Effect.as<Array<A>>([]),
            Effect.catchTag("QueueClosed", () => Effect.succeed([values[start + i]!]))
          ), { concurrency: "unbounded" }),
        (rejected) => rejected.flat()
      )
    return from(0)
  })
}

/** A delivery that must be settled. */
interface Leased<A> extends Delivery {
  readonly id: GrantId
  readonly item: A
  readonly cell: Cell
}

const lease = <A, E>(
  remote: QueueRemote,
  codec: ValueCodec.ValueCodec<A>,
  restore: Restore,
  refusals: Refusals<"QueueClosed", E>
) =>
  remote.callOwned(
    restore,
    "takeLease",
    [],
    ([id, attempt, cell]) =>
      Exit.map(remote.decode("takeLease", codec, cell), (item): Leased<A> => ({ id, attempt, item, cell })),
    refusals,
    "reject"
  )

/** Gives an item back because of how the work on it ended; an interruption is not the item's fault (S-19). */
const giveBack = (remote: QueueRemote, id: GrantId, cause: Cause.Cause<unknown>): void =>
  Cause.hasInterrupts(cause)
    ? remote.tell("giveBack", [id, 0, ""])
    : remote.tell("giveBack", [id, 1, reason(cause)])

/** How much of a failure is kept with an item. */
const reasonLength = 500

const reason = (cause: Cause.Cause<unknown>): string => Cause.pretty(cause).slice(0, reasonLength)

const process = <A, B, E, R, Closed>(
  remote: QueueRemote,
  codec: ValueCodec.ValueCodec<A>,
  f: (value: A, delivery: Delivery) => Effect.Effect<B, E, R>,
  refusals: Refusals<"QueueClosed", Closed>
): Effect.Effect<B, E | Closed | LeaseLost | ManagerError, Exclude<R, Scope.Scope>> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(lease(remote, codec, restore, refusals), ({ attempt, cell, id, item }) => {
      const work = Effect.scoped(Effect.suspend(() => f(item, { attempt })))
      const done = remote.call("ack", [id], () => Exit.void, whenNotHeld)
      return restore(Effect.tap(work, () => done)).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            // After an acknowledgement that was interrupted or refused this finds no lease, and is refused in turn.
            if (Exit.isFailure(exit)) giveBack(remote, id, exit.cause)
            // Handles in an item belong to the scope in which it is worked on (S-24).
            remote.connection.dropHandles([cell])
          })
        )
      )
    })
  )

const takeLease = <A>(
  remote: QueueRemote,
  codec: ValueCodec.ValueCodec<A>
): Effect.Effect<Lease<A>, QueueClosed | ManagerError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const { attempt, cell, id, item } = yield* lease(remote, codec, restore, whenClosed)
      let settled = false
      const settle = <E>(effect: Effect.Effect<void, E>) =>
        Effect.tap(effect, () => {
          settled = true
          return Effect.void
        })
      yield* Scope.addFinalizerExit(scope, (exit) =>
        Effect.sync(() => {
          if (!settled) giveBack(remote, id, Exit.isFailure(exit) ? exit.cause : Cause.interrupt())
          remote.connection.dropHandles([cell])
        }))
      return {
        item,
        attempt,
        ack: settle(remote.call("ack", [id], () => Exit.void, whenNotHeld)),
        nack: (reason) =>
          settle(remote.call("giveBack", [id, 1, reason.slice(0, reasonLength)], () => Exit.void, whenNotHeld))
      }
    })
  )

const deadLetters = <A>(
  remote: QueueRemote,
  codec: ValueCodec.ValueCodec<A>,
  parts: ReadonlyArray<Argument>
): ReadonlyArray<DeadLetter<A>> =>
  Array.from({ length: parts.length / 3 }, (_, i) => ({
    reason: parts[i * 3] as string,
    attempts: parts[i * 3 + 1] as number,
    item: remote.decode("deadLetters", codec, parts[i * 3 + 2] as Cell)
  }))
