/**
 * A candidate: a host that may lead a realm. It follows the log, leads when nobody does, and follows again when another host
 * has taken its place.
 *
 * ```text
 *   follow ─► vacant: silent for a lease, given up, or its process has ended ─► claim ─► the rest of the log ─► lead ─┐
 *     ▲                                                                                                               │
 *     └───────────────────────────────────────── Fenced: another host has claimed the realm ◄─────────────────────────┘
 * ```
 *
 * A host that is to lead rather than the leader (`outranks`) claims the realm, too, once it has seen that leader for some time.
 *
 * The log alone decides who leads: whatever a host believes, it appends nothing after another one has claimed. The lease
 * decides how long clients wait.
 *
 * A host that has seen more of the log than there is knows that the store has lost entries. It takes the realm then and
 * refuses every client: a host that does not know it would lead.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Log from "../Log.ts"
import * as Handshake from "../protocol/Handshake.ts"
import type { Link } from "../transport/Link.ts"
import { InputLog } from "./InputLog.ts"
import { Period } from "./Period.ts"
import { beginToLead, entriesMax, type RecoverOptions } from "./recover.ts"
import * as Replay from "./Replay.ts"
import { newInstance, serverOf, type ServerOptions } from "./Server.ts"

/** What a candidate is made of. */
export interface CandidateOptions
  extends Omit<ServerOptions, "journal" | "onAhead">, Pick<RecoverOptions, "log" | "realm" | "compactAfter">
{
  /** How long a leader may be silent, in milliseconds. */
  readonly leaseMs: number
  /** Whether this host is to lead rather than another one. Absent: it leaves every leader in its place. */
  readonly outranks?: ((leader: Log.Address) => boolean) | undefined
}

/** A host that may lead. */
export interface Candidate {
  /** Whether this host leads now, and is confirmed. */
  readonly isLeading: () => boolean
  /** Serves a link until it ends, or closes it at once: this host does not lead. */
  readonly serve: (link: Link) => Effect.Effect<void, never, Scope.Scope>
  /** The process that leads in this epoch has ended: nobody need wait until it counts as silent. */
  readonly suspect: (epoch: Log.Epoch) => void
  /**
   * Follows and leads; called once. Fails if this host can do neither: it cannot read the log, or another release has written
   * it. An interruption hands over: all changes are in the log then, the links are closed without a word, and the realm is
   * given up.
   */
  readonly run: (leader: Log.Address) => Effect.Effect<never, Log.LogDamaged | Log.LogNotOpened>
}

/**
 * The leases for which a host sees a leader that it outranks, until it takes its place: hosts that start together move each
 * realm once, and hosts that disagree about their ranks do not move it all the time.
 */
const outrankedLeases = 5

/** How long a host waits until it repeats what the store could not do. */
const pause = "100 millis"

/** How long the last changes may take when the realm is handed over. */
const handOverMs = 1_000

/** Makes a candidate. */
export const make = (
  options: CandidateOptions
): Effect.Effect<Candidate, never, Mac.Mac | SecureRandom.SecureRandom> =>
  Effect.gen(function*() {
    const { compactAfter = entriesMax, kinds, leaseMs, limits, log, outranks = () => false, realm } = options
    const crypto = Context.pick(Mac.Mac, SecureRandom.SecureRandom)(
      yield* Effect.context<Mac.Mac | SecureRandom.SecureRandom>()
    )
    const instance = yield* newInstance
    /** The engine at the end of the log; undefined: it is not loaded, or it leads. */
    let replay: Replay.Replay | undefined
    /** The position of the last snapshot that this host knows of. */
    let snapshotAt = 0
    let period: Period | undefined
    /** The store has lost entries. */
    let damage: Log.LogDamaged | undefined
    /** The epoch whose leader has ended, and what is done when there is one. */
    let suspected = 0
    let suspicion = Deferred.makeUnsafe<void>()
    /** The epoch that this host has seen first. */
    let firstEpoch: Log.Epoch | undefined
    /** The epoch that this host has seen last, and since when. */
    let seen = { epoch: 0, since: 0 }
    /** Until then silence means nothing: the leader could not reach the store either. In milliseconds of the epoch. */
    let blindUntil = 0
    let isWarned = false

    // -----------------------------------------------------------------------------------------------------------------
    // following
    // -----------------------------------------------------------------------------------------------------------------

    const lose = (error: Log.LogDamaged) => {
      damage = error
      return Effect.fail(error)
    }

    /** Brings the engine to the end of the log. */
    const advance = Effect.gen(function*() {
      if (replay === undefined) {
        replay = yield* Replay.begin({ epoch: 0, kinds, limits, log, realm, instance })
        snapshotAt = replay.position
      }
      yield* replay.advance
      return replay
    })

    /** Brings the engine to an end of the log, and takes a snapshot if it is due. */
    const follow = (head: Option.Option<Log.Head>) =>
      Effect.gen(function*() {
        isWarned = false
        let { position } = Option.getOrElse(head, () => noHead)
        if (replay !== undefined && position < replay.position) {
          // The engine may have stepped entries that came after this end was seen.
          position = Option.getOrElse(yield* log.head(realm), () => noHead).position
          if (position < replay.position) return yield* lose(Log.regressed(realm, replay.position, position))
        }
        const follower = replay?.position === position ? replay : yield* advance
        if (follower.position - snapshotAt < compactAfter) return
        snapshotAt = follower.position
        yield* follower.compact
      })

    /** The ends of the log, one after the other; at once after a suspicion. */
    const heads = Stream.concat(
      Stream.fromEffect(log.head(realm)),
      Stream.merge(
        log.watch(realm),
        Stream.fromEffectRepeat(Effect.suspend(() => Effect.andThen(Deferred.await(suspicion), log.head(realm))))
      )
    )

    const isVacant = (head: Option.Option<Log.Head>, own: Log.Address, now: number): boolean => {
      if (Option.isNone(head)) return true
      const { epoch, leader, silent } = head.value
      firstEpoch ??= epoch
      if (epoch !== seen.epoch) seen = { epoch, since: now }
      if (Option.isNone(leader) || epoch === suspected) return true
      if (Duration.toMillis(silent) >= leaseMs && now >= blindUntil) return true
      if (now - seen.since >= outrankedLeases * leaseMs && outranks(leader.value)) return true
      // One that listened here before this process began has ended.
      return epoch === firstEpoch && leader.value.host === own.host && leader.value.port === own.port
    }

    /** The first end of the log of which this holds. */
    const awaitHead = <E>(
      isIt: (head: Option.Option<Log.Head>, now: number) => boolean,
      each: (head: Option.Option<Log.Head>) => Effect.Effect<void, E>
    ) =>
      heads.pipe(
        Stream.mapEffect((head) => Effect.as(each(head), head)),
        Stream.filterEffect((head) => Effect.map(Clock.currentTimeMillis, (now) => isIt(head, now))),
        Stream.runHead,
        Effect.map(Option.flatten)
      )

    // -----------------------------------------------------------------------------------------------------------------
    // leading
    // -----------------------------------------------------------------------------------------------------------------

    /** Leads until another host does. */
    const lead = (follower: Replay.Replay, leadership: Log.Leadership) =>
      Effect.gen(function*() {
        const { engine } = follower
        const begunAt = yield* Clock.currentTimeMillis
        const position = yield* beginToLead(follower, leadership, limits)
        const ahead = yield* Deferred.make<never, Log.LogDamaged>()
        const onAhead = (index: number) => {
          const issue = `it leads to index ${engine.state.index}, and a client was told of index ${index}`
          Deferred.doneUnsafe(ahead, Effect.fail(new Log.LogDamaged({ realm, issue })))
        }
        const log = new InputLog(engine, leadership, position)
        const server = yield* serverOf(engine, follower.instance, { ...options, onAhead }, log)
        const current = new Period(server, leadership, leaseMs, begunAt)
        period = current
        yield* Effect.logDebug(`This host leads "${realm}" in epoch ${leadership.epoch}`)
        yield* Effect.raceFirst(current.run, Deferred.await(ahead)).pipe(
          Effect.catchDefect((defect) =>
            Effect.logError("A defect has stopped the manager: its sessions have ended.", Cause.die(defect))
          ),
          Effect.catchTag("LogDamaged", lose),
          Effect.ensuring(Effect.sync(() => {
            period = undefined
            current.close("another host leads")
          })),
          Effect.onInterrupt(() => Effect.timeoutOption(server.flushed, handOverMs))
        )
      })

    /** Follows until nobody leads, then claims the realm, and leads until another host does. */
    const campaign = (own: Log.Address) =>
      Effect.gen(function*() {
        const vacant = yield* awaitHead((head, now) => isVacant(head, own, now), follow)
        const claimed = yield* log.claim(realm, vacant, own)
        if (Option.isNone(claimed)) return
        const leadership = claimed.value
        const follower = yield* advance
        if (follower.position !== leadership.position) {
          return yield* lose(Log.regressed(realm, follower.position, leadership.position))
        }
        // From here on the engine may be ahead of the log.
        replay = undefined
        yield* lead(follower, leadership)
      }).pipe(
        Effect.scoped,
        Effect.catchTags({
          Fenced: ({ message }) => Effect.logWarning(message),
          Compacted: () =>
            Effect.sync(() => {
              replay = undefined
            })
        })
      )

    /** Has the realm, so that no host leads that knows less; not if another one that knows it has it. */
    const hold = (own: Log.Address) => {
      let heldAt: Log.Position | undefined
      return Effect.gen(function*() {
        const found = yield* awaitHead(
          (head, now) => isVacant(head, own, now) || Option.exists(head, ({ position }) => position !== heldAt),
          () => Effect.void
        )
        const claimed = yield* log.claim(realm, found, own)
        if (Option.isNone(claimed)) return
        heldAt = claimed.value.position
        yield* Effect.catchTag(Effect.forever(claimed.value.renew), "Fenced", () => Effect.void)
      }).pipe(Effect.scoped)
    }

    /** Tries again what the store cannot do now. */
    const patiently = <R>(what: Effect.Effect<void, Log.LogError | Log.LogNotOpened, R>) =>
      Effect.catchTag(what, "LogUnavailable", ({ message }) =>
        Effect.gen(function*() {
          if (!isWarned) yield* Effect.logWarning(message)
          isWarned = true
          blindUntil = (yield* Clock.currentTimeMillis) + leaseMs
          yield* Effect.sleep(pause)
        }))

    const run: Candidate["run"] = (own) =>
      Effect.forever(patiently(campaign(own))).pipe(
        Effect.catchTag("LogDamaged", (error) =>
          damage === undefined ? Effect.fail(error) : Effect.andThen(
            Effect.logError(`${error.message}. This host refuses all clients of the realm until it is stopped`),
            Effect.forever(patiently(hold(own)))
          )),
        Effect.provideContext(crypto)
      )

    return {
      isLeading: () => period?.isConfirmed === true,
      serve: (link) =>
        Effect.suspend(() => {
          if (damage !== undefined) {
            link.send(Handshake.frame(Handshake.Verdict, Handshake.Refused.make({ reason: "LogDamaged" })))
          }
          return damage === undefined && period?.isConfirmed === true ? period.serve(link) : Effect.void
        }),
      suspect: (epoch) => {
        suspected = epoch
        const told = suspicion
        suspicion = Deferred.makeUnsafe()
        Deferred.doneUnsafe(told, Effect.void)
      },
      run
    }
  })

// internals

const noHead = { position: 0 }
