/**
 * The inspection of a manager (`engine/Inspection.ts`) from a client: page by page, and as the objects change.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Connection } from "../client/Connection.ts"
import type { Holder, Inspection, ObjectDetails, ObjectInfo, SessionInfo, Waiter } from "../engine/Inspection.ts"
import type { Argument } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import type { DirectoryChange, Manager } from "./Manager.ts"
import * as Remote from "./Remote.ts"

/** The number of objects of an inspection that are completed at a time. */
const concurrency = 64

/** The members of a manager that inspect it. */
export const make = (
  connection: Connection
): Pick<Manager["Service"], "changes" | "counts" | "holders" | "inspect" | "objects" | "sessions" | "waiters"> => {
  const remote = Remote.directory(connection)
  const { argumentBytesMax: bytesMax } = connection
  const sessions = pagesOf(
    (after) => remote.call("sessions", [after, bytesMax], page<SessionInfo>),
    ({ id }) => id
  )
  const objects = pagesOf((after) => remote.call("objects", [after, bytesMax], page<ObjectInfo>), ({ id }) => id)
  const holders = ({ id }: Pick<ObjectInfo, "id">) =>
    pagesOf((after) => remote.call("holders", [id, after, bytesMax], page<Holder>), ({ token }) => token)
  const waiters = ({ id }: Pick<ObjectInfo, "id">) =>
    pagesOf((after) => remote.call("waiters", [id, after, bytesMax], page<Waiter>), ({ arrival }) => arrival)

  const head = remote.call(
    "counts",
    [],
    ([sessions, objects, waiters, holders], index) =>
      Exit.succeed({ epoch: connection.agreement.epoch, index, counts: { sessions, objects, waiters, holders } })
  )
  const details = pagesOf((after) => remote.call("details", [after, bytesMax], page<ObjectDetails>), ({ id }) => id)
  const complete = (object: ObjectDetails): Effect.Effect<ObjectDetails, ManagerError> =>
    object.waiters.length === object.waiting && object.holders.length === object.held
      ? Effect.succeed(object)
      : Effect.zipWith(
        Stream.runCollect(waiters(object)),
        Stream.runCollect(holders(object)),
        (waiters, holders) => ({ ...object, waiters, holders })
      )
  const inParts: Effect.Effect<Inspection, ManagerError> = Effect.gen(function*() {
    return {
      ...yield* head,
      sessions: yield* Stream.runCollect(sessions),
      objects: yield* Stream.runCollect(Stream.mapEffect(details, complete, { concurrency }))
    }
  })

  return {
    counts: Effect.map(head, ({ counts }) => counts),
    sessions,
    objects,
    holders,
    waiters,
    inspect: Effect.flatMap(
      remote.call("inspect", [bytesMax], ([whole]) => Exit.succeed(whole)),
      (whole) => whole === null ? inParts : Effect.succeed(parse<Inspection>(whole))
    ),
    changes: Stream.flatMap(
      remote.notifications,
      ({ event, parts }) => event === "change" ? Stream.succeed(changeOf(parts)) : listed(objects)
    )
  }
}

// internals

interface Page<Row> {
  readonly rows: ReadonlyArray<Row>
  readonly hasMore: boolean
}

/** The manager wrote it, and is of the protocol version that the handshake has checked. */
const parse = <A>(json: string): A => JSON.parse(json) as A

const page = <Row>([more, ...rows]: readonly [more: number, ...rows: ReadonlyArray<string>]): Exit.Exit<Page<Row>> =>
  Exit.succeed({ rows: rows.map((row) => parse<Row>(row)), hasMore: more === 1 })

/** All rows. Each page is read when it is pulled, and begins behind the last row of the page before. */
const pagesOf = <Row>(
  read: (after: number) => Effect.Effect<Page<Row>, ManagerError>,
  keyOf: (row: Row) => number
): Stream.Stream<Row, ManagerError> =>
  Stream.paginate(0, (after) =>
    Effect.map(
      read(after),
      ({ hasMore, rows }) => [rows, hasMore ? Option.some(keyOf(rows.at(-1)!)) : Option.none()] as const
    ))

const listed = (objects: Stream.Stream<ObjectInfo, ManagerError>): Stream.Stream<DirectoryChange, ManagerError> =>
  Stream.concat(
    Stream.succeed<DirectoryChange>({ _tag: "Reset" }),
    Stream.map(objects, (object): DirectoryChange => ({ _tag: "Listed", object }))
  )

/** Id, kind and name of a created object, or the id of a removed one. */
const changeOf = ([id, kind, name]: ReadonlyArray<Argument>): DirectoryChange =>
  kind === undefined
    ? { _tag: "Removed", id: Number(id) }
    : { _tag: "Created", object: { id: Number(id), kind: String(kind), name: name === null ? null : String(name) } }
