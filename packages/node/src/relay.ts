/**
 * The socket at which a process of a realm serves its workers: it passes the bytes of each on to whichever host leads, and
 * back. So a worker needs neither the log nor certificates, and its session goes on at the next leader, as that of any client.
 *
 * ```text
 *   worker ─► Unix socket ─► this process ─► leader
 * ```
 *
 * The handshake signs the binding of the link to the leader, which only this process knows. It is told to the worker before all
 * else: its length in one byte, then its text. The worker has the key from the same process, so it trusts it anyway.
 */
import type { Link } from "@effect-multiprocessing/core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as NetLink from "./netLink.ts"

/** Bytes that a worker has not read: beyond them nothing of the leader is read, which then holds the others up itself. */
export const unreadBytesMax = 8 * 1024 * 1024

/** How long a worker waits until there is a leader. */
const patience = "30 seconds"

/** Makes what serves the link of a worker. `open`: opens a link to the leader. */
export const make = (open: Effect.Effect<Link.Link, Link.LinkClosed, Scope.Scope>) => ({
  serve: (link: Link.Link): Effect.Effect<void, never, Scope.Scope> =>
    Effect.gen(function*() {
      const leader = yield* Effect.retry(
        open,
        Schedule.spaced("100 millis").pipe(Schedule.upTo({ duration: patience }))
      )
      const binding = new TextEncoder().encode(leader.binding ?? "")
      link.send(Uint8Array.of(binding.length, ...binding))
      return yield* pass(link, leader)
    }).pipe(Effect.ignore),
  close: Effect.void
})

/**
 * Passes the bytes of each link on to the other one, until one ends. The leader is not read while the worker does not read:
 * so the bytes stay in the leader, which has a bound for them. What a worker sends has one, too: its window.
 */
const pass = (worker: Link.Link, leader: Link.Link) => {
  let full = Deferred.makeUnsafe<void>()
  let drained = Deferred.makeUnsafe<void>()
  const onBytes = (bytes: Uint8Array) => {
    worker.send(bytes.slice())
    if (worker.pendingBytes() >= unreadBytesMax) Deferred.doneUnsafe(full, Effect.void)
  }
  const toWorker = Effect.suspend(() => {
    full = Deferred.makeUnsafe()
    drained = Deferred.makeUnsafe()
    return Effect.andThen(
      Effect.raceFirst(leader.read({ onBytes, onDrain: () => {} }), Deferred.await(full)),
      Deferred.await(drained)
    )
  })
  const toLeader = worker.read({
    onBytes: (bytes) => leader.send(bytes.slice()),
    onDrain: () => Deferred.doneUnsafe(drained, Effect.void)
  })
  return Effect.raceFirst(toLeader, Effect.forever(toWorker))
}

/** A worker's link to the leader, through the process that has started it. */
export const connect = (path: string): Effect.Effect<Link.Link, Link.LinkClosed, Scope.Scope> =>
  Effect.map(NetLink.connect({ path }), (link) => new RelayedLink(link))

class RelayedLink implements Link.Link {
  /** That of the link to the leader, as soon as a byte of it has arrived. */
  binding: string | undefined
  readonly send: Link.Link["send"]
  readonly pendingBytes: Link.Link["pendingBytes"]
  readonly #link: Link.Link
  /** The beginning, until it is whole. */
  #told: Uint8Array | undefined = new Uint8Array()

  constructor(link: Link.Link) {
    this.#link = link
    this.send = link.send
    this.pendingBytes = link.pendingBytes
  }

  readonly read: Link.Link["read"] = ({ onBytes, onDrain }) =>
    this.#link.read({
      onDrain,
      onBytes: (bytes) => {
        const rest = this.#told === undefined ? bytes : this.#begin(this.#told, bytes)
        if (rest.length > 0) onBytes(rest)
      }
    })

  /** Reads the binding. Returns the bytes after it. */
  #begin(told: Uint8Array, bytes: Uint8Array): Uint8Array {
    const all = new Uint8Array(told.length + bytes.length)
    all.set(told)
    all.set(bytes, told.length)
    const end = 1 + all[0]!
    if (all.length < end) {
      this.#told = all
      return new Uint8Array()
    }
    this.#told = undefined
    if (end > 1) this.binding = new TextDecoder().decode(all.subarray(1, end))
    return all.subarray(end)
  }
}
