/**
 * A comparison of two contestants in alternating rounds (ours, theirs, ours, theirs, ...), so that other load on the
 * machine affects both alike. The result is the ratio within each pair of neighbouring rounds.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** A contestant could not run its round. */
export class BenchError extends Schema.TaggedError<BenchError>()("BenchError", { issue: Schema.String }) {
  override get message(): string {
    return this.issue
  }
}

/** The work of a round. */
export interface Task {
  readonly operation: string
  /** Calls in flight in each client, each from its own fiber, or from the peer's equivalent of one. */
  readonly fibers: number
  /** Processes that work at the same time. Their rates are added up. */
  readonly clients: number
  /** Replies that one operation waits for, one after another. Default 1. */
  readonly calls?: number
}

/** Repeats a task for a number of milliseconds, and returns its rate per second. */
export type Round<E = never, R = never> = (milliseconds: number) => Effect.Effect<number, E, R>

/** Makes the rounds of a task. */
export type Contestant = (task: Task) => Round<BenchError>

/** Starts a contestant with this number of clients, and with its sockets in the folder. */
export type Start = (folder: string, clients: number) => Effect.Effect<Contestant, BenchError, Scope.Scope>

/** The other side of a comparison. */
export interface Peer {
  readonly name: string
  /** The program that the peer needs. */
  readonly needs?: string
  readonly start: Start
}

/** One task, for us and for a peer. */
export interface Comparison {
  readonly task: Task
  /** Which deployment of ours it is, if not a manager in memory at a Unix socket. */
  readonly variant?: string | undefined
  /** The program that this deployment needs. */
  readonly needs?: string | undefined
  readonly ours: Start
  readonly peer: Peer
  /** Replaces parts of the plan for this comparison. */
  readonly plan?: Partial<Plan> | undefined
}

/** The name of a comparison in the results: operation@fibersxclients/peer, with the variant at the operation. */
export const keyOf = ({ peer, task, variant }: Comparison): string =>
  `${task.operation}${variant === undefined ? "" : `-${variant}`}@${task.fibers}x${task.clients}/${peer.name}`

/** The length of a comparison. */
export interface Plan {
  /** The number of pairs of rounds. */
  readonly pairs: number
  readonly roundMs: number
  /** Milliseconds before the first round of each contestant. */
  readonly warmUpMs: number
}

/** The result of a comparison. Rates are operations per second. */
export interface Result {
  /** Medians over the rounds. */
  readonly ours: number
  readonly theirs: number
  /** The pairs' ratios, ours over theirs: the median and the extremes. */
  readonly ratio: number
  readonly lowest: number
  readonly highest: number
}

/** Runs a comparison of two contestants. */
export const compare = (
  ours: Round<BenchError>,
  theirs: Round<BenchError>,
  { pairs, roundMs, warmUpMs }: Plan
): Effect.Effect<Result, BenchError> =>
  Effect.gen(function*() {
    yield* ours(warmUpMs)
    yield* theirs(warmUpMs)
    const pair = Effect.all({ ours: ours(roundMs), theirs: theirs(roundMs) })
    const rounds = yield* Effect.forEach(Array.from({ length: pairs }), () => pair)
    const ratios = rounds.map(({ ours, theirs }) => ours / theirs)
    return {
      ours: median(rounds.map(({ ours }) => ours)),
      theirs: median(rounds.map(({ theirs }) => theirs)),
      ratio: median(ratios),
      lowest: Math.min(...ratios),
      highest: Math.max(...ratios)
    }
  })

/** The median. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2
}
