/** What a series of runs has met: operations by kind, and faults. */
import type { AnyKind } from "#core/engine/Kind.ts"
import { kinds } from "#core/engine/kinds/index.ts"
import { type FaultCounts, noFaults, type Simulation } from "@effect-multiprocessing/core/testing"

/** Adds runs up. */
export class Coverage {
  readonly faults: FaultCounts = noFaults()
  /** Committed operations, by `Kind.operation`; and withdrawals, revocations and ends of sessions. */
  readonly operations: Map<string, number>
  readonly causes = { withdrawn: 0, revoked: 0, ended: 0 }
  steps = 0
  milliseconds = 0
  readonly #kinds: ReadonlyArray<AnyKind>

  /** Runs that use these kinds. */
  constructor(of = kinds) {
    this.#kinds = of
    this.operations = new Map(
      of.flatMap(({ name, operations }) => Object.keys(operations).map((operation) => [`${name}.${operation}`, 0]))
    )
  }

  add({ faults, history, milliseconds, steps }: Simulation): void {
    this.steps += steps
    this.milliseconds += milliseconds
    for (const [fault, times] of Object.entries(faults)) this.faults[fault as keyof FaultCounts] += times
    const kindOf = new Map<number, string>()
    for (const { cause, kind, object, operation } of history.journal) {
      kindOf.set(object, kind)
      if (cause === "request") this.#count(`${kind}.${operation}`)
      else if (cause !== "entered") this.causes[cause]++
    }
    const changes = new Set(history.journal.map(({ sequence, session }) => `${session}:${sequence}`))
    for (const { object, operation, outcome, sequence, session } of history.records) {
      if (outcome !== undefined && !changes.has(`${session}:${sequence}`)) {
        this.#count(`${kindOf.get(object) ?? "?"}.${operation}`)
      }
    }
  }

  /** Operations that no run used. */
  get unused(): ReadonlyArray<string> {
    return neverIn(this.operations)
  }

  /** Kinds and faults that no run met. */
  get missing(): ReadonlyArray<string> {
    const used = this.#kinds.map(({ name, operations }): [string, number] => [
      name,
      Object.keys(operations).filter((operation) => this.operations.get(`${name}.${operation}`) !== 0).length
    ])
    return neverIn([...used, ...Object.entries(this.faults), ...Object.entries(this.causes)])
  }

  /** For people: a line for each kind, one for the faults. */
  get lines(): ReadonlyArray<string> {
    const lines = this.#kinds.map(({ name }) => {
      const own = [...this.operations].filter(([operation]) => operation.startsWith(`${name}.`))
      return `${name}: ${counts(own.map(([operation, times]) => [operation.slice(name.length + 1), times]))}`
    })
    return [
      ...lines,
      `Calls undone: ${counts(Object.entries(this.causes))}`,
      `Faults: ${counts(Object.entries(this.faults))}`,
      `Steps: ${this.steps}; simulated time: ${Math.round(this.milliseconds / 3_600_000)} hours`
    ]
  }

  #count(operation: string): void {
    const times = this.operations.get(operation)
    if (times !== undefined) this.operations.set(operation, times + 1)
  }
}

const neverIn = (entries: Iterable<readonly [name: string, times: number]>): ReadonlyArray<string> =>
  Array.from(entries).filter(([, times]) => times === 0).map(([name]) => name)

const counts = (entries: Iterable<readonly [name: string, times: number]>): string =>
  Array.from(entries, ([name, times]) => `${name} ${times}`).join(", ")
