/** A suite of a kind: properties of its public interface, on the manager of a layer. */
import type { Link, Manager } from "@effect-multiprocessing/core"
import type { JournalEntry } from "@effect-multiprocessing/core/testing"
import { it, type Vitest } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import type { Effect, Layer, Scope } from "effect"

/** The layer of a manager of any deployment. */
export type ManagerLayer = Layer.Layer<Manager.Manager, unknown>

/** A deployment on which the suites run. */
export interface Deployment {
  readonly name: string
  readonly layer: ManagerLayer
  /** The same with the own kinds of the tests (`support/ownKinds.ts`). */
  readonly ownKinds: ManagerLayer
  /** The number of random programs for each property. They are expensive when each call goes to another process. */
  readonly programs: number
  /** A manager that keeps a journal. */
  readonly recorded: Effect.Effect<Recorded, unknown, Scope.Scope>
}

/** A manager that keeps a journal. */
export interface Recorded {
  /** Another client, whose link passes through `listen`. */
  readonly connect: (
    listen: (link: Link.Link) => Link.Link
  ) => Effect.Effect<Manager.Manager["Service"], unknown, Scope.Scope>
  /** Every change so far. */
  readonly journal: Effect.Effect<ReadonlyArray<JournalEntry>, unknown>
}

/** A suite of one kind: its tests share one manager. */
export type Suite = (deployment: Deployment) => void

/** The number and the size of the random programs of a property. */
export interface Runs {
  readonly arbitrary: { readonly runs: number; readonly size: number }
}

/** Makes a suite. Its tests run in real time, because the manager may be another process. */
export const suite =
  (kind: string, tests: (it: Vitest.MethodsNonLive<Manager.Manager>, runs: Runs) => void): Suite =>
  ({ layer, name, programs }) =>
    it.layer(layer, { excludeTestServices: true })(
      `${kind}, ${name}`,
      (it) => tests(it, { arbitrary: { runs: programs, size: 40 } })
    )

/** A random program: a list of actions, each with a number. */
export const programs = <const Names extends readonly [string, ...ReadonlyArray<string>]>(...names: Names) => {
  const step = Schema.Tuple([Schema.Literals(names), Schema.Int.check(Schema.isBetween({ minimum: -9, maximum: 9 }))])
  // The wire has no -0.
  return Arbitrary.array(Arbitrary.map(Arbitrary.schema(step), ([what, n]) => [what, n + 0] as const), {
    maxLength: 40
  })
}
