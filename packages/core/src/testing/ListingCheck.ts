/**
 * Checks the listings of the directory: objects and holders, as far as the journal knows them. It does not say when a
 * reply was received, nor when an unused object was forgotten.
 */
import type { Holder, Inspection, ObjectDetails, ObjectIdentity } from "../engine/Inspection.ts"
import type { CallRecord } from "./History.ts"
import { isPermanent, type JournalReplay } from "./JournalReplay.ts"
import type { Reply } from "./kinds/Model.ts"

/** Why a reply is wrong; absent: it is right. */
export type Listing = (replay: JournalReplay, args: CallRecord["args"], reply: Reply) => string | undefined

/** The operations that inspect the directory. The journal knows neither sessions nor waiters. */
export const listings: Readonly<Record<string, Listing>> = {
  counts: () => undefined,
  sessions: () => undefined,
  waiters: () => undefined,
  objects: (replay, [after], reply) => {
    const { end, rows } = pageOf<ObjectIdentity>(reply, ({ id }) => id)
    return checkObjects(replay, rows, Number(after), end)
  },
  details: (replay, [after], reply) => {
    const { end, rows } = pageOf<ObjectDetails>(reply, ({ id }) => id)
    return checkDetails(replay, rows, Number(after), end)
  },
  holders: (replay, [object, after], reply) => {
    const { end, rows } = pageOf<Holder>(reply, ({ token }) => token)
    return checkHolders(replay, Number(object), rows, Number(after), end)
  },
  inspect: (replay, _, [whole]) => {
    if (whole === null) return undefined
    const { objects }: Inspection = JSON.parse(String(whole))
    return checkDetails(replay, objects, 0, Infinity)
  }
}

// internals

/** The rows of a page, and the key up to which there are no others. */
const pageOf = <Row>([more, ...lines]: Reply, keyOf: (row: Row) => number) => {
  const rows = lines.map((line): Row => JSON.parse(String(line)))
  return { rows, end: more === 1 ? keyOf(rows.at(-1)!) : Infinity }
}

/** Keys grow, beginning behind the first one, and no certain key is missing. */
const checkKeys = (keys: ReadonlyArray<number>, after: number, end: number, certain: Iterable<number>) => {
  if (keys.some((key, i) => key <= (keys[i - 1] ?? after))) return "but rows are out of order"
  const told = new Set(keys)
  const missing = Array.from(certain).find((key) => key > after && key <= end && !told.has(key))
  return missing === undefined ? undefined : `but ${missing} is missing`
}

const checkObjects = (replay: JournalReplay, rows: ReadonlyArray<ObjectIdentity>, after: number, end: number) => {
  const wrong = rows.find(({ id, kind, name }) => {
    const replica = replay.objects.get(id)
    return replica?.kind !== kind || (replica.name ?? null) !== name
  })
  if (wrong !== undefined) return `but there is no ${wrong.kind} ${wrong.id} of that name`
  const permanent = [...replay.objects].filter(([, replica]) => isPermanent(replica)).map(([id]) => id)
  return checkKeys(rows.map(({ id }) => id), after, end, permanent)
}

const checkHolders = (
  replay: JournalReplay,
  object: number,
  rows: ReadonlyArray<Holder>,
  after: number,
  end: number
) => {
  const grants = replay.objects.get(object)?.model?.grants
  if (grants === undefined) return undefined
  const wrong = rows.find(({ session, token }) => !replay.holds(session, token) || !grants.has(token))
  if (wrong !== undefined) return `but ${wrong.session} does not hold ${wrong.token}`
  const settled = [...grants].filter(([, { byReceipt }]) => !byReceipt).map(([grant]) => grant)
  return checkKeys(rows.map(({ token }) => token), after, end, settled)
}

/** Objects with their holders, or the first of these. */
const checkDetails = (replay: JournalReplay, rows: ReadonlyArray<ObjectDetails>, after: number, end: number) =>
  checkObjects(replay, rows, after, end) ??
    rows.map(({ held, holders, id }) =>
      checkHolders(replay, id, holders, 0, holders.length === held ? Infinity : holders.at(-1)!.token)
    ).find((wrong) => wrong)
