/**
 * The log of a durable manager: every input is written here before it takes effect.
 *
 * A log has the entries of any number of _realms_; each manager is one realm. A host that wants to lead a realm _claims_
 * it, which begins a new epoch. An append states the epoch and the position before it, and the store itself compares both.
 * So a leader that was paused or cut off is refused, whatever its clock says: two hosts may believe that they lead, and
 * only one of them can make anything happen.
 *
 * ```text
 *   head ─► claim ─► read (up to the claimed position) ─► append, append, … ─► Fenced: another host has claimed
 *                                                         confirm
 * ```
 *
 * `Log` is a service. `checkLog` of `@effect-multiprocessing/core/testing` tests an implementation.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** The number of entries that a realm has had, also those that a snapshot has replaced. The first entry has position 1. */
export type Position = number

/** A period of one leader. Epochs grow from leader to leader, and are at least the store's time in milliseconds. */
export type Epoch = number

/** Where clients reach a leader. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** The end of a realm's log, as it is now. */
export interface Head {
  readonly epoch: Epoch
  readonly position: Position
  /** None: the leader has given the realm up. */
  readonly leader: Option.Option<Address>
  /** The time since the leader was last heard, by the clock of the store. */
  readonly silent: Duration.Duration
}

/** One entry. Its bytes are the inputs of one turn, or of several that were written together. */
export interface Entry {
  readonly position: Position
  readonly epoch: Epoch
  readonly bytes: Uint8Array
}

/** The state of a realm after the entry at `position`. */
export interface Snapshot {
  readonly position: Position
  readonly epoch: Epoch
  /**
   * The version of the engine that wrote it. It grows whenever equal inputs may give another state, so entries are stepped by
   * the version that wrote them. A state is loaded by every version that knows its format.
   */
  readonly engineVersion: number
  /** In parts of about half a MiB, which are made one after the other as they are read. A single large value makes a larger one. */
  readonly bytes: Stream.Stream<Uint8Array, LogError>
}

const realm = Schema.String

/**
 * Another host has claimed the realm: no append of this epoch will be made any more. An append that had failed as
 * `LogUnavailable` before may be in the log; any other was not made.
 */
export class Fenced extends Schema.TaggedError<Fenced>()("Fenced", {
  realm,
  /** The epoch of the refused leader. */
  epoch: Schema.Number,
  /** The newest epoch of the realm. */
  current: Schema.Number
}) {
  override get message(): string {
    return `epoch ${this.epoch} of "${this.realm}" has ended: epoch ${this.current} leads. Nothing was written. ` +
      "This host must stop, and may follow the new leader"
  }
}

/**
 * The store did not respond, or cannot do it now. An append may have been made or not: repeat it with the same position
 * and the same bytes until it succeeds, and it is made once.
 */
export class LogUnavailable extends Schema.TaggedError<LogUnavailable>()("LogUnavailable", {
  realm,
  issue: Schema.String
}) {
  override get message(): string {
    return `the log of "${this.realm}" is not available: ${this.issue}. What was acknowledged is safe. Repeat the operation`
  }
}

/** The store lacks entries that it had confirmed, or has them damaged. No host may lead this realm before it is repaired. */
export class LogDamaged extends Schema.TaggedError<LogDamaged>()("LogDamaged", {
  realm,
  issue: Schema.String
}) {
  override get message(): string {
    return `the log of "${this.realm}" is damaged: ${this.issue}. Nothing was changed. ` +
      "Restore the store from a backup or a replica before a manager leads this realm again"
  }
}

/** Why an operation of the store has failed. */
export type LogError = LogUnavailable | LogDamaged

/** A snapshot has replaced entries that were to be read. Read the snapshot, then the entries after it. */
export class Compacted extends Schema.TaggedError<Compacted>()("Compacted", {
  realm,
  /** The position after which the reader wanted to read. */
  after: Schema.Number,
  /** The position of the snapshot. */
  snapshot: Schema.Number
}) {
  override get message(): string {
    return `the log of "${this.realm}" has no entries between ${this.after} and ${this.snapshot} any more. ` +
      "Read the snapshot, then the entries after it"
  }
}

const notOpened = {
  InUse: "Stop that process, or use another log",
  NewerFormat: "Use the release that has written it, or a newer one",
  OlderFormat: "With the release that has written it, hand it over by a snapshot (docs/durability.md)",
  Unreachable: "Check the address, and that the store runs",
  NotALog: "Check the address",
  Damaged: "Restore it from a backup or a replica",
  Unwritable: "Check the permissions, and that there is space"
} as const

/** The store could not be opened. Nothing in it was changed. */
export class LogNotOpened extends Schema.TaggedError<LogNotOpened>()("LogNotOpened", {
  address: Schema.String,
  why: Schema.Literals(["InUse", "NewerFormat", "OlderFormat", "Unreachable", "NotALog", "Damaged", "Unwritable"]),
  issue: Schema.String
}) {
  override get message(): string {
    return `cannot open the log ${this.address}: ${this.issue}. ${notOpened[this.why]}`
  }
}

/** The right to append, as long as no other host has claimed the realm. */
export interface Leadership {
  readonly epoch: Epoch
  /** The position of the last entry before this epoch. A leader applies all entries up to it before its first append. */
  readonly position: Position
  /**
   * Writes the entry after position `after`. When it succeeds, the entry is as durable as the store makes it
   * (`Log.survives`). A leader makes one append at a time, and repeats one that has failed as `LogUnavailable`. An entry of
   * more than `entryBytesMax` is a defect.
   *
   * **Cancellation** Not interruptible: the wait for a commit that is given up leaves a commit that others see and that
   * may still get lost.
   */
  readonly append: (after: Position, bytes: Uint8Array) => Effect.Effect<void, Fenced | LogError>
  /**
   * Succeeds if, at some time during this call, no other host had claimed the realm. A leader replies to reads alone only
   * after this. Writes nothing.
   */
  readonly confirm: Effect.Effect<void, Fenced | LogError>
  /**
   * Succeeds as `confirm`, and the leader was heard then (`Head.silent`). A store may make it once for all realms of a host,
   * at its own times: it may take as long as the store's heartbeat.
   */
  readonly renew: Effect.Effect<void, Fenced | LogError>
}

/** What an append that has succeeded survives: the end of the manager's process, of its machine, of the store's disk. */
export type Survives = "nothing" | "process" | "machine" | "replica"

/** The logs of a store's realms. */
export class Log extends Context.Service<Log, {
  /** The end of the log. None: nobody has claimed this realm yet. */
  readonly head: (realm: string) => Effect.Effect<Option.Option<Head>, LogError>
  /** The end of the log, now and then again and again. A store may look once for all realms of a host, at its own times. */
  readonly watch: (realm: string) => Stream.Stream<Option.Option<Head>, LogError>
  /**
   * Begins a new epoch, unless a host has claimed the realm since `seen` was read: then it returns none and changes
   * nothing. The end of the scope gives the realm up, so that others need not wait until this host counts as silent.
   */
  readonly claim: (
    realm: string,
    seen: Option.Option<Head>,
    leader: Address
  ) => Effect.Effect<Option.Option<Leadership>, LogError, Scope.Scope>
  /** The entries after a position, in order, up to the present; with `follow` also each later one. */
  readonly read: (
    realm: string,
    after: Position,
    options?: { readonly follow?: boolean | undefined }
  ) => Stream.Stream<Entry, LogError | Compacted>
  /** The newest snapshot. None: there is none, and the entries begin with position 1. */
  readonly snapshot: (realm: string) => Effect.Effect<Option.Option<Snapshot>, LogError>
  /**
   * Keeps a snapshot, then forgets the entries that it replaces, and older snapshots. A snapshot that is older than the
   * kept one changes nothing. If it fails, the snapshot is kept as a whole or not at all.
   */
  readonly putSnapshot: (realm: string, snapshot: Snapshot) => Effect.Effect<void, LogError>
  /** The most bytes of one entry. */
  readonly entryBytesMax: number
  readonly survives: Survives
}>()("@effect-multiprocessing/core/Log") {}

// ---------------------------------------------------------------------------------------------------------------
// for implementations
// ---------------------------------------------------------------------------------------------------------------

/** The end of a realm's log, for `makeLeadership`. */
export interface End {
  readonly epoch: Epoch
  readonly position: Position
  /** The epoch of the last entry, or 0. */
  readonly written: Epoch
}

/** What a store does for a leader, for `makeLeadership`. */
export interface LeadershipOptions {
  readonly realm: string
  readonly epoch: Epoch
  readonly position: Position
  readonly entryBytesMax: number
  /**
   * Writes an entry if the realm is at this epoch and position. Returns undefined if it was written, and otherwise the end
   * of the log.
   */
  readonly attempt: (after: Position, bytes: Uint8Array) => Effect.Effect<End | undefined, LogError>
  /** The epoch of the realm. */
  readonly current: Effect.Effect<Epoch, LogError>
  /** Says that the leader lives, and returns whether it still leads for sure. Otherwise `current` decides. */
  readonly hear: Effect.Effect<boolean, LogError>
}

/** Makes a leadership of what a store does. It recognizes an append that is repeated though it had been made. */
export const makeLeadership = (
  { attempt, current, entryBytesMax, epoch, hear, position, realm }: LeadershipOptions
): Leadership => {
  const confirm = Effect.flatMap(
    current,
    (current) => current === epoch ? Effect.void : Effect.fail(new Fenced({ realm, epoch, current }))
  )
  return {
    epoch,
    position,
    append: (after, bytes) => {
      if (bytes.length > entryBytesMax) {
        return Effect.die(new RangeError(`an entry has ${bytes.length} bytes, and at most ${entryBytesMax} fit`))
      }
      const append = Effect.flatMap(attempt(after, bytes), (end): Effect.Effect<void, Fenced | LogDamaged> => {
        if (end === undefined) return Effect.void
        if (end.epoch !== epoch) return Effect.fail(new Fenced({ realm, epoch, current: end.epoch }))
        // Only this leader writes in its epoch: the entry is its own, and the answer was lost.
        if (end.position === after + 1 && end.written === epoch) return Effect.void
        return Effect.fail(regressed(realm, after, end.position))
      })
      return Effect.uninterruptible(append)
    },
    confirm,
    renew: Effect.flatMap(hear, (isLeading) => isLeading ? Effect.void : confirm)
  }
}

/** Makes `Log.watch` of `Log.head`, for a store that is asked for each realm: every quarter of a second. */
export const heads = <E>(head: Effect.Effect<Option.Option<Head>, E>): Stream.Stream<Option.Option<Head>, E> =>
  Stream.fromEffectSchedule(head, Schedule.spaced("250 millis"))

/** Some entries of a realm, read at one time, for `entries`. */
export interface Page {
  /** The position of the last entry of the realm. */
  readonly position: Position
  /** The position of the snapshot, or 0. The entries up to it may be gone. */
  readonly compacted: Position
  /** The first entries after the position that was asked for, in order. Empty: there is none. */
  readonly entries: ReadonlyArray<Entry>
}

/**
 * Makes the stream of `Log.read` of pages. It checks that no entry is missing. Without `changed` the
 * stream ends with the present. `changed` is called before each page is read; its effect waits for the first entry, or for
 * any other time, after the call.
 */
export const entries = <E>(
  realm: string,
  after: Position,
  page: (after: Position) => Effect.Effect<Page, E>,
  changed?: (() => Effect.Effect<void, E>) | undefined
): Stream.Stream<Entry, E | LogDamaged | Compacted> =>
  Stream.paginate(
    after,
    Effect.fnUntraced(function*(at) {
      const next = changed?.()
      const read = yield* page(at)
      const error = flaw(realm, at, read)
      if (error !== undefined) return yield* error
      const last = at + read.entries.length
      if (last === read.position && next === undefined) return [read.entries, Option.none<Position>()]
      if (read.entries.length === 0 && next !== undefined) yield* next
      return [read.entries, Option.some(last)]
    })
  )

/**
 * Makes the bytes of a snapshot of its parts, of which there are `count`. Its reader fails if a part is gone: a newer
 * snapshot has replaced this one.
 */
export const parts = (
  realm: string,
  count: number,
  part: (number: number) => Effect.Effect<Uint8Array | undefined, LogError>
): Snapshot["bytes"] =>
  Stream.range(0, count - 1).pipe(
    Stream.mapEffect((number) =>
      Effect.flatMap(part(number), (bytes) =>
        bytes === undefined
          ? Effect.fail(new LogUnavailable({ realm, issue: "a newer snapshot has replaced this one" }))
          : Effect.succeed(bytes))
    )
  )

/** The error of a log that ends before a position that it had confirmed. */
export const regressed = (realm: string, confirmed: Position, found: Position): LogDamaged =>
  new LogDamaged({ realm, issue: `it ends at position ${found}, and had confirmed ${confirmed}` })

// internals

/** Why a page does not continue the entries up to a position. */
const flaw = (
  realm: string,
  after: Position,
  { compacted, entries, position }: Page
): LogDamaged | Compacted | undefined => {
  if (after < compacted) return new Compacted({ realm, after, snapshot: compacted })
  if (position < after) return regressed(realm, after, position)
  const hole = entries.findIndex((entry, i) => entry.position !== after + i + 1)
  if (hole < 0 && (entries.length > 0 || position === after)) return undefined
  return new LogDamaged({ realm, issue: `entry ${after + Math.max(hole, 0) + 1} of ${position} is missing` })
}
