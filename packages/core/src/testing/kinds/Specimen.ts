/**
 * A specimen: all that tests know of one kind of shared object. Each kind has one, in a file of its own, and nothing
 * else names the kind.
 *
 * | read by                 | for                                                                          |
 * | ----------------------- | ---------------------------------------------------------------------------- |
 * | `certify`               | the model, which says how each recorded call should have ended               |
 * | simulation              | the actions, in random order, in several processes, under faults             |
 * | generic mutants         | the same, with a bug put into the kind: the simulation must find it          |
 * | conformance             | the same, on every deployment of a manager                                   |
 * | interruption            | the same, interrupted at every step                                          |
 * | random programs, frames | the arguments with which the samples are opened                              |
 *
 * `scripts/barrel.mjs` writes the list of specimens; a test compares it with the registry of kinds.
 */
import type { AnyKind, Kind } from "../../engine/Kind.ts"
import { type Remote, type Shared, TypeId } from "../../proxy/Remote.ts"
import type { AnyWorkload, Openers, Workload } from "../Workload.ts"
import type { MakeModel } from "./Model.ts"

/** What tests know of a kind. */
export interface Specimen extends AnyWorkload {
  readonly kind: AnyKind
  readonly model: MakeModel
  /** Bugs that any kind may have and that change nothing here that a client can find out, such as `poll/overtakes`; why. */
  readonly harmless?: Readonly<Record<string, string>>
}

/** Defines the specimen of a kind: its samples are objects of this kind, its actions call all operations. */
export const specimen = <const S extends Openers>(
  definition: Workload<S> & Pick<Specimen, "kind" | "model" | "harmless">
): Specimen => definition

/** An object as its proxy sees it: for calls that the public module makes seldom, or never. */
// oxlint-disable-next-line typescript/no-explicit-any -- of whatever state and operations
export const remoteOf = <K extends Kind<any, any, string, any>>(object: Shared, _: K): Remote<K> =>
  // The caller names the kind of the object.
  object[TypeId] as Remote<K>
