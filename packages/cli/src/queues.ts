/** `emp drain` and `emp dead-letters`: the items of queues. */
import { type Manager, Untyped } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { wrongUsage } from "./failure.ts"
import * as Output from "./output.ts"

/** Takes the queued items one by one, and prints each before the next is taken. */
export const drain = ({ queue }: { readonly queue: string }): Effect.Effect<void, unknown, Manager.Manager> =>
  Effect.flatMap(Untyped.openQueue(queue), ({ poll }) =>
    Effect.repeat(
      // An item that was taken is printed, also when a signal comes.
      Effect.uninterruptible(Effect.tap(poll, Option.match({ onNone: () => Effect.void, onSome: Output.printJson }))),
      { while: Option.isSome }
    ))

/** The options of `dead-letters`. */
export interface DeadLetters {
  readonly queue: string
  readonly retry: boolean
  readonly drop: boolean
}

/** Prints the dead letters, each after it was retried or dropped if that is asked for. */
export const deadLetters = (
  { drop, queue, retry }: DeadLetters
): Effect.Effect<void, unknown, Manager.Manager> =>
  Effect.gen(function*() {
    if (retry && drop) return yield* wrongUsage("--retry and --drop exclude each other")
    const { drop: dropOne, letters, retry: retryOne } = yield* Untyped.openQueue(queue)
    const act = retry ? retryOne : drop ? dropOne : () => Effect.succeed(true)
    // A letter that is gone meanwhile was somebody else's.
    yield* Stream.runForEach(letters, (letter) =>
      Effect.flatMap(act(letter.id), (was) => was ? Output.printJson(letter) : Effect.void))
  })
