/** How a known bug is put into a kind, or between an engine or a connection and its host. */
import type { Connection } from "#core/client/Connection.ts"
import type { Engine } from "#core/engine/Engine.ts"
import type { Input } from "#core/engine/Inputs.ts"
import type { AnyKind } from "#core/engine/Kind.ts"
import { kinds } from "#core/engine/kinds/index.ts"
import type { At, Operation } from "#core/engine/Operation.ts"
import type { Session } from "#core/engine/State.ts"
import type { FaultName, HostFaultName, SimulationOptions } from "@effect-multiprocessing/core/testing"
import type { Way } from "./Stage.ts"
import { actionsOf } from "./workloads.ts"

/** A known bug. */
export interface Mutant {
  /** What goes wrong, and which scenario that is. */
  readonly bug: string
  /** Names of the actions that meet it; absent: any may. */
  readonly actions?: ReadonlyArray<string>
  /** Those of them without which no program meets it. */
  readonly focus?: ReadonlyArray<string>
  /** Ways in which actions are performed; absent: any. */
  readonly ways?: ReadonlyArray<Way>
  /** Faults that meet it; absent: any may. Its sessions survive their links if these are among them. */
  readonly faults?: ReadonlyArray<FaultName>
  /** A seed that finds it, where the first few do not. */
  readonly seed?: number
  /** What strikes the processes of a manager with a log; absent: the manager has none. */
  readonly hosts?: ReadonlyArray<HostFaultName>
  /** Puts it into a simulation. */
  readonly options: Partial<SimulationOptions>
}

/** Any operation, of whatever state. */
// oxlint-disable-next-line typescript/no-explicit-any -- a bug may read any state: that is what makes it one
export type AnyOperation = Operation<any>

/** Puts a bug into a kind; the simulation of its specimen alone meets it. */
export const inKind = (
  name: string,
  change: (kind: AnyKind) => Partial<AnyKind>
): Required<Pick<Mutant, "actions" | "options">> => ({
  actions: actionsOf(name),
  options: { kinds: kinds.map((kind) => kind.name === name ? { ...kind, ...change(kind) } : kind) }
})

/** Puts a bug into an operation. */
export const inOperation = (
  kind: string,
  name: string,
  change: (operation: AnyOperation) => Partial<AnyOperation>
): ReturnType<typeof inKind> =>
  inKind(kind, ({ operations }) => ({
    operations: { ...operations, [name]: { ...operations[name], ...change(operations[name]) } }
  }))

/** Sees each input before the engine does; `step` hands it on. */
export const inStep = (
  change: (engine: Engine, step: Engine["step"]) => (input: Input) => void
): Mutant["options"] => ({
  onEngine: (engine) => {
    engine.step = change(engine, engine.step.bind(engine))
  }
})

/** The session that an input ends: those of these simulations have no grace. */
export const ending = ({ state }: Engine, input: Input): Session | undefined =>
  input._tag === "End" || input._tag === "Unlinked" ? state.sessions.get(input.session) : undefined

/** Sees each connection before its first call. */
export const inConnection = (onConnection: (connection: Connection) => void): Mutant["options"] => ({ onConnection })

/** The step as a kind sees it, with something changed. */
export const changed = (at: At, change: Partial<At>): At => ({
  index: at.index,
  upcoming: at.upcoming,
  now: at.now,
  session: at.session,
  client: at.client,
  since: at.since,
  isBehind: at.isBehind,
  isWatched: at.isWatched,
  held: (id) => at.held(id),
  settle: (id) => at.settle(id),
  revoke: (id) => at.revoke(id),
  expire: (milliseconds) => at.expire(milliseconds),
  retain: (cell) => at.retain(cell),
  release: (cell) => at.release(cell),
  grow: (bytes) => at.grow(bytes),
  wakes: (entry, text) => at.wakes(entry, text),
  changed: (change) => at.changed(change),
  ...change
})
