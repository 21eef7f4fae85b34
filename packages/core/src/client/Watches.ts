/** The subscriptions of one connection (S-29): each event goes into the queue of its reader. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Outcome, WatchEvent } from "../engine/Inputs.ts"
import type { Reply } from "../engine/Operation.ts"
import type { ManagerError } from "../ManagerError.ts"
import { failure } from "./Failure.ts"
import type { Target } from "./Target.ts"

/** An event for a watcher: first a snapshot, then changes; a reset after it was too slow, or without a link. */
export interface Notification {
  readonly event: WatchEvent | "snapshot"
  readonly parts: Reply
}

/** An event on its way to its reader. */
interface Arrived extends Notification {
  /** The subscription to which its credit returns when it is read; 0: to none. */
  readonly credits: number
}

/** What subscriptions need of their connection. */
export interface Wire {
  /** Sends the subscription and returns its sequence, or the error that prevents it. */
  readonly subscribe: (target: Target) => number | ManagerError
  readonly credit: (sequence: number, more: number) => void
  readonly unsubscribe: (sequence: number) => void
  readonly giveBack: (parts: Reply) => void
}

interface Watch {
  readonly target: Target
  readonly queue: Queue.Queue<Arrived, ManagerError>
  /** Of its subscription. Over each link it has another one. */
  sequence: number
  hasBegun: boolean
}

/** The subscriptions of one connection. */
export class Watches {
  readonly #wire: Wire
  readonly #watches = new Map<number, Watch>()

  constructor(wire: Wire) {
    this.#wire = wire
  }

  /**
   * Subscribes while the stream is read. Credit returns with each event taken, so a slow reader skips instead of
   * lagging.
   */
  stream(target: Target): Stream.Stream<Notification, ManagerError> {
    return Stream.unwrap(Effect.map(
      Effect.acquireRelease(
        Effect.map(Queue.unbounded<Arrived, ManagerError>(), (queue) => this.#open(target, queue)),
        (watch) => this.#close(watch)
      ),
      (watch) =>
        Stream.fromPull(Effect.succeed(Effect.tap(Queue.takeAll(watch.queue), (taken) => {
          const { sequence } = watch
          const events = taken.filter(({ credits }) => credits === sequence).length
          if (events > 0 && this.#watches.has(sequence)) this.#wire.credit(sequence, events)
          return Effect.void
        })))
    ))
  }

  /** Subscribes again, over a new link. Each reader gets a reset, because changes may have been lost. */
  again(): void {
    const watches = [...this.#watches.values()]
    this.#watches.clear()
    for (const watch of watches) this.#subscribe(watch)
  }

  /** Hands an event on. The handles in an event without a reader are dropped. */
  tell(sequence: number, event: Notification["event"], parts: Reply): void {
    const watch = this.#watches.get(sequence)
    if (watch === undefined) return this.#wire.giveBack(parts)
    if (event === "snapshot") {
      Queue.offerUnsafe(watch.queue, { event: watch.hasBegun ? "reset" : "snapshot", parts, credits: 0 })
      watch.hasBegun = true
    } else if (event !== "ended") Queue.offerUnsafe(watch.queue, { event, parts, credits: sequence })
    else {
      const [error = "ObjectDeleted", ...details] = parts
      this.refuse(sequence, { _tag: "Failure", error: String(error), details })
    }
  }

  /** The manager ends a subscription, after the events before it. */
  refuse(sequence: number, refusal: Extract<Outcome, { readonly _tag: "Failure" }>): void {
    const watch = this.#watches.get(sequence)
    if (watch !== undefined) this.#fail(watch, failure(watch.target, "changes", refusal))
  }

  /** Ends every subscription. */
  failAll(error: (target: Target) => ManagerError): void {
    for (const watch of this.#watches.values()) this.#fail(watch, error(watch.target))
  }

  #fail(watch: Watch, error: ManagerError): void {
    this.#watches.delete(watch.sequence)
    Queue.failCauseUnsafe(watch.queue, Cause.fail(error))
  }

  #open(target: Target, queue: Watch["queue"]): Watch {
    const watch = { target, queue, sequence: 0, hasBegun: false }
    this.#subscribe(watch)
    return watch
  }

  #subscribe(watch: Watch): void {
    const sequence = this.#wire.subscribe(watch.target)
    if (typeof sequence === "number") {
      watch.sequence = sequence
      this.#watches.set(sequence, watch)
    } else Queue.failCauseUnsafe(watch.queue, Cause.fail(sequence))
  }

  #close(watch: Watch): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.#watches.delete(watch.sequence)) return Effect.void
      this.#wire.unsubscribe(watch.sequence)
      return Queue.clear(watch.queue).pipe(
        Effect.map((left) => left.forEach(({ parts }) => this.#wire.giveBack(parts))),
        Effect.ignore
      )
    })
  }
}
