/**
 * A workload: shared objects, and the actions of clients on them. Simulated programs consist of these actions.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Manager } from "../proxy/Manager.ts"
import type { Shared } from "../proxy/Remote.ts"
import type { OpenError } from "../proxy/Shared.ts"
import type { Holder, Ledger } from "./Ledger.ts"
import type { Random } from "./Random.ts"

/** Opens an object through its public module, by name or as a new object without a name. */
export type Opener = (name: string | undefined) => Effect.Effect<Shared, OpenError, Manager | Scope.Scope>

/** The function that opens each object of a workload, by the name that the actions use. */
export type Openers = Readonly<Record<string, Opener>>

/** The opened objects of a workload. */
export type ObjectsOf<S extends Openers> = { readonly [Part in keyof S]: Effect.Success<ReturnType<S[Part]>> }

/** An action that a client runs once. A failure is expected, a defect is a bug. */
export type Action<Objects> = (
  objects: Objects,
  actor: Actor
) => Effect.Effect<unknown, unknown, Manager | Scope.Scope>

/** Objects, and the actions of clients on them. */
export interface Workload<S extends Openers> {
  readonly samples: S
  /** They are independent: a program without one of them runs the others unchanged. */
  readonly actions: Readonly<Record<string, Action<ObjectsOf<S>>>>
  /**
   * Everything that ends the waiting of the actions. A client without faults tries each for a moment, round after
   * round, while other clients wait. A late round may end the use of the objects.
   */
  readonly help?: (
    objects: ObjectsOf<S>,
    actor: Actor,
    round: number
  ) => ReadonlyArray<Effect.Effect<unknown, unknown, Manager | Scope.Scope>>
}

/** Any workload. */
// oxlint-disable-next-line typescript/no-explicit-any -- actions only ever meet the objects of their own workload
export type AnyWorkload = Workload<any>

/** Defines a workload; its actions are typed by its samples. */
export const workload = <const S extends Openers>(definition: Workload<S>): Workload<S> => definition

/** The first round of help that may end the use of the objects. */
export const lateRound = 4

/** The client that runs an action, and its choices. */
export class Actor {
  readonly client: Holder
  readonly ledger: Ledger
  readonly random: Random
  readonly #sleepMaxMs: number

  /** `sleepMaxMs` is the longest sleep, for runs in real time. */
  constructor(client: Holder, ledger: Ledger, random: Random, sleepMaxMs = Infinity) {
    this.client = client
    this.ledger = ledger
    this.random = random
    this.#sleepMaxMs = sleepMaxMs
  }

  readonly sleep = (ms: number): Effect.Effect<void> => Effect.sleep(Math.min(ms, this.#sleepMaxMs))

  /** A short duration in milliseconds. */
  readonly soon = (): number => Math.min(this.random.pick([0, 1, 5, 50]), this.#sleepMaxMs)

  /** Some work, during which other fibers run. */
  readonly work = (): Effect.Effect<void> => this.random.chance(1 / 2) ? Effect.yieldNow : Effect.sleep(this.soon())

  /** Work that does not end before its hold is lost; in real time it ends by itself. */
  readonly overstay = (): Effect.Effect<void> => this.sleep(Infinity)

  /** Waits for an effect until it ends, for a moment, or for some steps of the scheduler. */
  readonly impatiently = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<unknown, E, R> =>
    this.random.pick([
      self,
      Effect.timeoutOption(self, this.soon()),
      Effect.raceFirst(self, Effect.repeat(Effect.yieldNow, { times: this.random.below(30) }))
    ])

  /** Reads some elements of a stream, with a pause after each. */
  readonly watch = <A, E, R>(stream: Stream.Stream<A, E, R>): Effect.Effect<unknown, E, R> => {
    const pause = this.soon()
    return stream.pipe(
      Stream.take(1 + this.random.below(5)),
      Stream.mapEffect(() => Effect.sleep(pause)),
      Stream.runDrain,
      Effect.timeoutOption(Math.min(this.random.pick([20, 200]), 10 * this.#sleepMaxMs))
    )
  }
}
