/**
 * A log in memory, with faults. It survives nothing: it is for tests, and for the simulation of durable managers.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Log from "../Log.ts"

/** The operations that a fault may strike. */
export type LogOperation = "head" | "claim" | "append" | "confirm" | "read" | "snapshot" | "putSnapshot"

/**
 * - *unavailable*: the operation fails as `LogUnavailable`, and was not done.
 * - *unknown*: the operation fails as `LogUnavailable`, and was done.
 * - *slow*: the operation takes a second more.
 * - *fenced*: another host claims the realm just before the operation.
 * - *torn*: the bytes of a snapshot that is read end with `LogUnavailable`. Other operations are *unavailable*.
 */
export type LogFault = "unavailable" | "unknown" | "slow" | "fenced" | "torn"

/** The options of a log in memory. */
export interface MemoryLogOptions {
  /** Decides which fault strikes an operation, if any. */
  readonly fault?: ((operation: LogOperation, realm: string) => LogFault | undefined) | undefined
}

/** Makes a log in memory. All hosts that use this object share it. */
export const makeMemoryLog = ({ fault = () => undefined }: MemoryLogOptions = {}): Log.Log["Service"] => {
  const realms = new Map<string, Realm>()

  const realmOf = (name: string): Realm => {
    const realm = realms.get(name) ?? emptyRealm(name)
    realms.set(name, realm)
    return realm
  }

  /** Runs an operation at one time, or lets a fault strike it. */
  const perform = <A, E>(
    name: string,
    operation: LogOperation,
    run: (realm: Realm, now: number, fault: LogFault | undefined) => Effect.Effect<A, E>
  ): Effect.Effect<A, E | Log.LogUnavailable> =>
    Effect.suspend(() => {
      const realm = realmOf(name)
      const struck = fault(operation, name)
      const done = Effect.flatMap(Clock.currentTimeMillis, (now) => run(realm, now, struck))
      switch (struck) {
        case undefined:
          return done
        case "slow":
          return Effect.delay(done, slowness)
        case "unknown":
          return Effect.andThen(done, unavailable(name))
        case "torn":
          return operation === "snapshot" ? done : unavailable(name)
        case "fenced":
          return Effect.flatMap(Clock.currentTimeMillis, (now) => {
            begin(realm, Option.none(), now)
            return done
          })
        default:
          return unavailable(name)
      }
    })

  const lead = (realm: Realm, epoch: Log.Epoch): Log.Leadership =>
    Log.makeLeadership({
      realm: realm.name,
      epoch,
      position: positionOf(realm),
      entryBytesMax,
      attempt: (after, bytes) =>
        perform(realm.name, "append", (_, now) => Effect.succeed(write(realm, epoch, after, bytes, now))),
      current: perform(realm.name, "confirm", () => Effect.succeed(realm.epoch)),
      hear: perform(realm.name, "confirm", (_, now) =>
        Effect.sync(() => {
          if (realm.epoch === epoch) realm.heardAt = now
          return realm.epoch === epoch
        }))
    })

  const page = (name: string, after: Log.Position) =>
    perform(name, "read", ({ compacted, entries }) =>
      Effect.succeed<Log.Page>({
        position: compacted + entries.length,
        compacted,
        entries: entries.slice(Math.max(0, after - compacted))
      }))

  const head = (name: string) =>
    perform(name, "head", (realm, now) =>
      Effect.succeed(
        realm.epoch === 0 ? Option.none() : Option.some({
          epoch: realm.epoch,
          position: positionOf(realm),
          leader: realm.leader,
          silent: Duration.millis(now - realm.heardAt)
        })
      ))

  return {
    entryBytesMax,
    survives: "nothing",
    head,
    watch: (name) => Log.heads(head(name)),
    claim: (name, seen, leader) =>
      Effect.acquireRelease(
        perform(name, "claim", (realm, now) =>
          Effect.sync(() => {
            if (realm.epoch !== (Option.getOrUndefined(seen)?.epoch ?? 0)) return Option.none()
            begin(realm, Option.some(leader), now)
            return Option.some(lead(realm, realm.epoch))
          })),
        (leadership) =>
          Effect.sync(() => {
            const realm = realmOf(name)
            if (realm.epoch === Option.getOrUndefined(leadership)?.epoch) realm.leader = Option.none()
          })
      ),
    read: (name, after, options) =>
      Log.entries(
        name,
        after,
        (after) => page(name, after),
        options?.follow === true ? () => Deferred.await(realmOf(name).changed) : undefined
      ),
    snapshot: (name) =>
      perform(name, "snapshot", ({ snapshot }, _, fault) => {
        const kept = Option.fromUndefinedOr(snapshot)
        return Effect.succeed(fault === "torn" ? Option.map(kept, torn(name)) : kept)
      }),
    putSnapshot: (name, { bytes, ...snapshot }) =>
      Effect.flatMap(Stream.runCollect(bytes), (chunks) =>
        perform(name, "putSnapshot", (realm) => {
          const { position } = snapshot
          if (position > positionOf(realm)) return Effect.fail(Log.regressed(name, position, positionOf(realm)))
          if (position <= realm.compacted) return Effect.void
          realm.snapshot = { ...snapshot, bytes: Stream.fromIterable(chunks) }
          realm.entries.splice(0, position - realm.compacted)
          realm.compacted = position
          return Effect.void
        }))
  }
}

/** A log in memory. */
export const layerMemoryLog = (options: MemoryLogOptions = {}): Layer.Layer<Log.Log> =>
  Layer.sync(Log.Log, () => makeMemoryLog(options))

// internals

const entryBytesMax = 64 * 1024 * 1024

const slowness = "1 second"

interface Realm {
  readonly name: string
  /** 0: nobody has claimed it. */
  epoch: Log.Epoch
  leader: Option.Option<Log.Address>
  heardAt: number
  /** The epoch of the last entry, or 0. */
  written: Log.Epoch
  /** The position of the snapshot, or 0. */
  compacted: Log.Position
  /** The entries after it. */
  readonly entries: Array<Log.Entry>
  snapshot: Log.Snapshot | undefined
  /** Done when there is another entry. */
  changed: Deferred.Deferred<void>
}

const emptyRealm = (name: string): Realm => ({
  name,
  epoch: 0,
  leader: Option.none(),
  heardAt: 0,
  written: 0,
  compacted: 0,
  entries: [],
  snapshot: undefined,
  changed: Deferred.makeUnsafe()
})

const positionOf = ({ compacted, entries }: Realm): Log.Position => compacted + entries.length

const begin = (realm: Realm, leader: Option.Option<Log.Address>, now: number): void => {
  realm.epoch = Math.max(realm.epoch + 1, now)
  realm.leader = leader
  realm.heardAt = now
}

/** Writes an entry, or returns the end of the log. */
const write = (
  realm: Realm,
  epoch: Log.Epoch,
  after: Log.Position,
  bytes: Uint8Array,
  now: number
): Log.End | undefined => {
  const position = positionOf(realm)
  const { changed, written } = realm
  if (realm.epoch !== epoch || position !== after) return { epoch: realm.epoch, position, written }
  realm.entries.push({ position: after + 1, epoch, bytes })
  realm.written = epoch
  realm.heardAt = now
  realm.changed = Deferred.makeUnsafe()
  Deferred.doneUnsafe(changed, Effect.void)
  return undefined
}

const unavailable = (realm: string) => Effect.fail(new Log.LogUnavailable({ realm, issue: "a fault of the test" }))

const torn = (realm: string) => (snapshot: Log.Snapshot): Log.Snapshot => ({
  ...snapshot,
  bytes: Stream.concat(Stream.take(snapshot.bytes, 1), Stream.fromEffect(unavailable(realm)))
})
