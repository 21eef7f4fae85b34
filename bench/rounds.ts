/**
 * A comparison: two contestants take turns (ours, theirs, ours, theirs, ...), so that whatever else the machine does
 * meets both alike. What counts is the ratio within each pair of neighbouring rounds.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** A contestant could not do its round. */
export class BenchError extends Schema.TaggedError<BenchError>()("BenchError", { issue: Schema.String }) {
  override get message(): string {
    return this.issue
  }
}

/** What is done in a round. */
export interface Task {
  readonly operation: string
  /** Calls in flight in each client, each from a fiber of its own or what a peer has in place of one. */
  readonly fibers: number
  /** Processes that do it at the same time; their rates are added up. */
  readonly clients: number
  /** Answers that one operation waits for, one after the other. Default 1. */
  readonly calls?: number
}

/** Does a task over and over for a while; answers how often per second. */
export type Round<E = never, R = never> = (milliseconds: number) => Effect.Effect<number, E, R>

/** Who does rounds of a task. */
export type Contestant = (task: Task) => Round<BenchError>

/** Starts a contestant of so many clients, its sockets in the folder. */
export type Start = (folder: string, clients: number) => Effect.Effect<Contestant, BenchError, Scope.Scope>

/** Whom we compare ourselves with. */
export interface Peer {
  readonly name: string
  /** The program without which there is no such peer. */
  readonly needs?: string
  readonly start: Start
}

/** One task, done by us and by a peer. */
export interface Comparison {
  readonly task: Task
  readonly ours: Start
  readonly peer: Peer
  /** Where it needs other rounds than the rest. */
  readonly plan?: Partial<Plan> | undefined
}

/** How a comparison is named in the results: operation@fibersxclients/peer. */
export const keyOf = ({ peer, task }: Comparison): string =>
  `${task.operation}@${task.fibers}x${task.clients}/${peer.name}`

/** How long a comparison takes. */
export interface Plan {
  /** Pairs of rounds. */
  readonly pairs: number
  readonly roundMs: number
  /** Before the first round of each. */
  readonly warmUpMs: number
}

/** What came out. Rates are operations per second. */
export interface Result {
  /** Medians over the rounds. */
  readonly ours: number
  readonly theirs: number
  /** Of the pairs' ratios, ours over theirs: the median and the extremes. */
  readonly ratio: number
  readonly lowest: number
  readonly highest: number
}

/** Lets two contestants take turns. */
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

/** The middle one. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2
}
