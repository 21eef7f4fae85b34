/** What `emp top` shows of a manager: pure functions from samples to lines. */
import type { Manager } from "@effect-multiprocessing/core"
import { nameOf } from "./objects.ts"
import { duration, endsIn, table } from "./output.ts"

/** A manager at an instant, in milliseconds. */
export interface Sample {
  readonly at: number
  readonly inspection: Manager.Inspection
}

/** A call that waits. */
export interface Wait extends Manager.Waiter {
  readonly object: string
}

/** What is shown of a sample. */
export interface View {
  readonly index: number
  /** Changes of all objects in a second, since the sample before; null: there is none. */
  readonly changesPerSecond: number | null
  readonly counts: Manager.Counts
  /** Those with the most waiting calls and grants first. */
  readonly sessions: ReadonlyArray<Manager.SessionInfo>
  /** Those with the most waiting calls, holders and watchers first. */
  readonly objects: ReadonlyArray<Manager.ObjectInfo>
  /** Those that began first, first. */
  readonly waits: ReadonlyArray<Wait>
}

/** The view of a sample, with at most so many rows in each table. `last` is the sample before. */
export const viewOf = (last: Sample | undefined, { at, inspection }: Sample, most: number): View => {
  const { counts, index, objects, sessions } = inspection
  const waiters = objects.flatMap((object) => object.waiters.map((waiter) => ({ ...waiter, object: nameOf(object) })))
  return {
    index,
    changesPerSecond: last === undefined || at <= last.at
      ? null
      : Math.round((index - last.inspection.index) * 1_000 / (at - last.at)),
    counts,
    sessions: first(sessions, most, ({ holding, waiting }) => [waiting, holding]),
    objects: first(objects, most, ({ held, waiting, watchers }) => [waiting, held, watchers])
      .map(({ held, id, kind, name, references, waiting, watchers }) => ({
        id,
        kind,
        name,
        references,
        watchers,
        waiting,
        held
      })),
    waits: first(waiters, most, ({ arrival }) => [-arrival])
  }
}

/** The lines of a view. */
export const lines = ({ changesPerSecond, counts, objects, sessions, waits }: View): ReadonlyArray<string> => [
  `sessions ${counts.sessions}  objects ${counts.objects}  waiting ${counts.waiters}  held ${counts.holders}` +
  (changesPerSecond === null ? "" : `  changes ${changesPerSecond}/s`),
  "",
  ...table(
    ["SESSION", "PROCESS", "PID", "ROLE", "WAITING", "HOLDING", "ENDS IN"],
    sessions.map((session) => {
      const { holding, id, name, pid, role, waiting } = session
      return [id, name, pid, role, waiting, holding, endsIn(session)]
    })
  ),
  ...objects.length === 0 ? [] : [
    "",
    ...table(
      ["OBJECT", "KIND", "WAITING", "HELD", "WATCHERS"],
      objects.map((object) => [nameOf(object), object.kind, object.waiting, object.held, object.watchers])
    )
  ],
  ...waits.length === 0 ? [] : [
    "",
    ...table(
      ["WAITS FOR", "CALL", "PROCESS", "PID", "FOR"],
      waits.map(({ name, object, operation, pid, waitedMs }) => [object, operation, name, pid, duration(waitedMs)])
    )
  ]
]

/** Lines as a terminal shows them: what does not fit is cut, and what was there before is erased. */
export const frame = (lines: ReadonlyArray<string>, columns: number, rows: number): string => {
  const visible = lines.slice(0, Math.max(1, rows)).map((line) => `${line.slice(0, Math.max(1, columns))}\u001b[K`)
  return `\u001b[H${visible.join("\r\n")}\u001b[J`
}

/** The first rows, by the largest ranks. Rows of equal ranks stay in order. */
const first = <A>(rows: ReadonlyArray<A>, most: number, ranks: (row: A) => ReadonlyArray<number>): ReadonlyArray<A> =>
  rows.map((row) => ({ row, ranks: ranks(row) }))
    .sort((a, b) => a.ranks.map((rank, i) => b.ranks[i]! - rank).find((difference) => difference !== 0) ?? 0)
    .slice(0, most)
    .map(({ row }) => row)
