/**
 * Links to whichever host leads a realm: the log has its address.
 */
import { Link, type Log, Manager } from "@effect-multiprocessing/core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Network from "./network.ts"

/** How leaders are reached. */
export interface Ways {
  readonly log: Log.Log["Service"]
  readonly realm: string
  /** Absent: their ports are not encrypted. */
  readonly tls?: Manager.ClientTls | undefined
  readonly allowUnencrypted?: boolean | undefined
  /** The host in this process that may lead. */
  readonly candidate?: Manager.Candidate | undefined
}

/** How often a client that waits for a leader's first word looks whether another one leads. */
const look = "200 millis"

/** Makes the effect that opens a link to the leader. It fails while nobody leads, or while the leader cannot be reached. */
export const make = (
  { allowUnencrypted, candidate, log, realm, tls }: Ways
): Effect.Effect<Link.Link, Link.LinkClosed, Scope.Scope> => {
  /** The epoch whose leader this process has reached. */
  let reached = 0
  const closed = (reason: string) => new Link.LinkClosed({ reason })
  const head = Effect.mapError(log.head(realm), ({ message }) => closed(message))

  /** Fails when another host leads. */
  const awaitOther = (epoch: Log.Epoch): Effect.Effect<never, Link.LinkClosed> =>
    Effect.sleep(look).pipe(
      Effect.andThen(Effect.option(head)),
      Effect.flatMap((found) =>
        Option.exists(Option.flatten(found), (now) => now.epoch !== epoch)
          ? Effect.fail(closed("another host leads"))
          : awaitOther(epoch)
      )
    )

  const connect = Effect.gen(function*() {
    const found = yield* head
    const leader = Option.flatMap(found, ({ leader }) => leader)
    if (Option.isNone(found) || Option.isNone(leader)) return yield* closed(`no host leads "${realm}" now`)
    const { epoch } = found.value
    const target = { ...leader.value, isEncrypted: tls !== undefined }
    const other = awaitOther(epoch)
    const link = yield* Network.connect(target, { allowUnencrypted, tls }).pipe(
      Effect.tapError(({ reason }) =>
        Effect.sync(() => {
          // A port that this process has reached refuses: the process that listened there has ended.
          if (reached === epoch && /ECONNREFUSED/.test(reason)) candidate?.suspect(epoch)
        })
      ),
      Effect.raceFirst(other)
    )
    reached = epoch
    return answering(link, other)
  })

  return Effect.suspend(() => candidate?.isLeading() === true ? Manager.openLocal(candidate) : connect)
}

/**
 * A link that closes if another host leads before it has carried a byte: the system opens links to the port of a process that
 * is frozen.
 */
const answering = (link: Link.Link, other: Effect.Effect<never, Link.LinkClosed>): Link.Link => ({
  ...link,
  read: ({ onBytes, onDrain }) =>
    Effect.suspend(() => {
      const answered = Deferred.makeUnsafe<void>()
      const silent = Effect.raceFirst(other, Deferred.await(answered))
      let isAnswered = false
      const hear = (bytes: Uint8Array) => {
        if (!isAnswered) Deferred.doneUnsafe(answered, Effect.void)
        isAnswered = true
        onBytes(bytes)
      }
      return Effect.raceFirst(link.read({ onBytes: hear, onDrain }), Effect.andThen(silent, Effect.never))
    })
})
