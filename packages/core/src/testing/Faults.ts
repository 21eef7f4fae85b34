/**
 * The faults of a simulated world, drawn from a seed.
 */
import type { Random } from "./Random.ts"

/** Every fault of a client or its link. */
export const faultNames = ["cut", "half", "delay", "split", "kill", "pause", "cancel", "rush"] as const

/** The name of a fault. */
export type FaultName = (typeof faultNames)[number]

/** One fault, as data. A list with some of the faults left out makes another run, which can also be repeated. */
export interface Fault {
  /**
   * - *cut*: the link of a client ends, and messages under way are lost. For a while there is no other link.
   * - *half*: the same, but one end of the link notices it later, and the client may have another link before the server
   *   notices.
   * - *delay*: messages to one end arrive later.
   * - *split*: messages to both ends arrive in pieces.
   * - *kill*: a client ends at any point, and runs no finalizer.
   * - *pause*: a client, or the server, does nothing for a while.
   * - *cancel*: a fiber that the program runs as `cancellable` is interrupted at any point.
   * - *rush*: a timer fires before tasks that could have run before it.
   */
  readonly fault: FaultName
  /** The first step in which it may happen. It happens as soon as it can. */
  readonly at: number
  readonly client: number
  /** After `at`: at once, when a reply has just been sent to the client, or when the client has just read one. */
  readonly moment: "at once" | "answered" | "heard"
  /** Its duration in simulated milliseconds. */
  readonly milliseconds: number
  /** It strikes the server, or the server's end of the link, instead of the client. */
  readonly server: boolean
}

/** The number of times each fault happened. */
export type FaultCounts = Record<FaultName, number>

/** No faults. */
export const noFaults = (): FaultCounts => ({
  cut: 0,
  half: 0,
  delay: 0,
  split: 0,
  kill: 0,
  pause: 0,
  cancel: 0,
  rush: 0
})

/** The most additional cancellations of a run. Most of them interrupt nothing of interest. */
const stormMax = 40

/** Draws faults of the given names for the clients from `first` up to, not including, `end`, within `steps` steps. */
export const drawFaults = (
  random: Random,
  first: number,
  end: number,
  steps: number,
  names: ReadonlyArray<FaultName> = faultNames
): ReadonlyArray<Fault> => {
  const draw = (fault: FaultName): Fault => ({
    fault,
    at: random.below(steps),
    client: first + random.below(end - first),
    moment: random.pick(["at once", "answered", "heard"]),
    milliseconds: random.pick([1, 10, 100, 2_000, 20_000]),
    server: random.chance(1 / 3)
  })
  // Some runs have no faults, and some almost only interruptions.
  const several = random.chance(1 / 8) ? 0 : random.below(10)
  const storm = several > 0 && random.chance(1 / 3) ? random.below(stormMax) : 0
  return [
    ...Array.from({ length: names.length === 0 ? 0 : several }, () => draw(random.pick(names))),
    ...Array.from({ length: names.includes("cancel") ? storm : 0 }, () => draw("cancel"))
  ].sort((left, right) => left.at - right.at)
}

/** Every fault of the processes of a manager that has a log. */
export const hostFaultNames = ["kill", "freeze", "replace", "compact"] as const

/** The name of a fault of the processes of a manager. */
export type HostFaultName = (typeof hostFaultNames)[number]

/** A fault of the processes of a manager that has a log. */
export interface HostFault {
  /**
   * - *kill*: it ends at any point, and the next one begins after some time.
   * - *freeze*: it does nothing for some time. The next one begins meanwhile.
   * - *replace*: the next one begins while it runs.
   * - *compact*: another process replaces the entries of the log by a snapshot.
   */
  readonly fault: HostFaultName
  /** The step in which it happens. */
  readonly at: number
  /** Its duration in simulated milliseconds. */
  readonly milliseconds: number
}

/** Draws faults of hosts of the given names, within `steps` steps. */
export const drawHostFaults = (
  random: Random,
  steps: number,
  names: ReadonlyArray<HostFaultName> = hostFaultNames
): ReadonlyArray<HostFault> =>
  Array.from({ length: random.below(8) }, (): HostFault => ({
    fault: random.pick(names),
    at: random.below(steps),
    milliseconds: random.pick([1, 10, 100, 2_000, 20_000])
  })).sort((left, right) => left.at - right.at)
