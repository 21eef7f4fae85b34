/** The subscriptions of one connection (S-29): what the manager tells goes into the queue of whoever reads it. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { WatchEvent } from "../engine/Inputs.ts"
import type { Reply } from "../engine/Operation.ts"
import type { ManagerError } from "../ManagerError.ts"
import { failure } from "./Failure.ts"
import type { Target } from "./Target.ts"

/** Told to a watcher: first a snapshot, then changes, a reset when it was too slow. */
export interface Notification {
  readonly event: WatchEvent | "snapshot"
  readonly parts: Reply
}

/** What subscriptions need of their connection. */
export interface Wire {
  /** Sends the subscription and answers its sequence, or why it cannot be sent. */
  readonly subscribe: (target: Target) => number | ManagerError
  readonly credit: (sequence: number, more: number) => void
  readonly unsubscribe: (sequence: number) => void
  readonly dropHandles: (parts: Reply) => void
}

interface Watch {
  readonly target: Target
  readonly queue: Queue.Queue<Notification, ManagerError>
}

/** The subscriptions of one connection. */
export class Watches {
  readonly #wire: Wire
  readonly #watches = new Map<number, Watch>()

  constructor(wire: Wire) {
    this.#wire = wire
  }

  /** Whom a subscription watches, if it is one. */
  target(sequence: number): Target | undefined {
    return this.#watches.get(sequence)?.target
  }

  /** Subscribes while it is read. Credit goes back with what was taken, so that a slow reader is told less, not late. */
  stream(target: Target): Stream.Stream<Notification, ManagerError> {
    return Stream.unwrap(Effect.map(
      Effect.acquireRelease(
        Effect.map(Queue.unbounded<Notification, ManagerError>(), (queue) => this.#open({ target, queue })),
        ({ sequence }) => this.#close(sequence)
      ),
      ({ queue, sequence }) =>
        Stream.fromPull(Effect.succeed(Effect.tap(Queue.takeAll(queue), (taken) => {
          const events = taken.filter(({ event }) => event !== "snapshot").length
          if (events > 0 && this.#watches.has(sequence)) this.#wire.credit(sequence, events)
          return Effect.void
        })))
    ))
  }

  /** Hands on what the manager told; what nobody waits for any more is given back. */
  tell(sequence: number, event: Notification["event"], parts: Reply): void {
    const watch = this.#watches.get(sequence)
    if (watch === undefined) return this.#wire.dropHandles(parts)
    if (event !== "ended") Queue.offerUnsafe(watch.queue, { event, parts })
    else {
      const [error = "ObjectDeleted", ...details] = parts
      this.fail(sequence, failure(watch.target, "changes", { _tag: "Failure", error: String(error), details }))
    }
  }

  /** Ends a subscription with an error, after what was told before. */
  fail(sequence: number, error: ManagerError): void {
    const watch = this.#watches.get(sequence)
    this.#watches.delete(sequence)
    if (watch !== undefined) Queue.failCauseUnsafe(watch.queue, Cause.fail(error))
  }

  /** Ends every subscription. */
  failAll(error: (target: Target) => ManagerError): void {
    for (const [sequence, { target }] of this.#watches) this.fail(sequence, error(target))
  }

  #open(watch: Watch): Watch & { readonly sequence: number } {
    const sequence = this.#wire.subscribe(watch.target)
    if (typeof sequence === "number") {
      this.#watches.set(sequence, watch)
      return { ...watch, sequence }
    }
    Queue.failCauseUnsafe(watch.queue, Cause.fail(sequence))
    return { ...watch, sequence: 0 }
  }

  #close(sequence: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const watch = this.#watches.get(sequence)
      if (watch === undefined) return Effect.void
      this.#watches.delete(sequence)
      this.#wire.unsubscribe(sequence)
      return Queue.clear(watch.queue).pipe(
        Effect.map((left) => left.forEach(({ parts }) => this.#wire.dropHandles(parts))),
        Effect.ignore
      )
    })
  }
}
