/**
 * What can go wrong in a simulated world, drawn from a seed.
 */
import type { Random } from "./Random.ts"

/** Everything that can happen to a client or its link. */
export const faultNames = ["cut", "delay", "split", "kill", "pause", "cancel", "rush"] as const

/** What happens. */
export type FaultName = (typeof faultNames)[number]

/** One fault, as data: leaving some out of a list makes another run that can be repeated. */
export interface Fault {
  readonly fault: FaultName
  /** The step from which on it happens, as soon as it can. */
  readonly at: number
  /**
   * - *cut*: the link of a client ends, and what is under way is lost.
   * - *delay*: what one end should hear comes later.
   * - *split*: what both ends hear comes in pieces.
   * - *kill*: a client is gone in the middle of whatever it does; not a finalizer of it runs.
   * - *pause*: a client, or the server, does nothing for a while.
   * - *cancel*: a fiber that lets itself be interrupted is, wherever it stands.
   * - *rush*: a timer goes off before what could have run before it.
   */
  readonly client: number
  /** Then: at once, or when a reply has just been sent to the client, or just been read by it. */
  readonly moment: "at once" | "answered" | "heard"
  /** How long, in simulated milliseconds. */
  readonly milliseconds: number
  /** The server, or the end of the link that is the server's, instead of the client. */
  readonly server: boolean
}

/** How often each fault comes. */
export type FaultCounts = Record<FaultName, number>

/** None of each. */
export const noFaults = (): FaultCounts => ({ cut: 0, delay: 0, split: 0, kill: 0, pause: 0, cancel: 0, rush: 0 })

/** Cancellations in a row, in the runs that have them: most of them meet nothing of interest. */
const stormMax = 40

/** Draws faults for clients from `first` to before `end`, over the steps of a run: of those named, by default of all. */
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
  // Some runs meet nothing at all, some little but interruptions.
  const several = random.chance(1 / 8) ? 0 : random.below(10)
  const storm = several > 0 && random.chance(1 / 3) ? random.below(stormMax) : 0
  return [
    ...Array.from({ length: names.length === 0 ? 0 : several }, () => draw(random.pick(names))),
    ...Array.from({ length: names.includes("cancel") ? storm : 0 }, () => draw("cancel"))
  ].sort((left, right) => left.at - right.at)
}
