/**
 * Every bound of a manager, with its default and its reason. A call that would exceed a bound fails with a typed error
 * that names the bound (docs/limits.md has the table, and the bounds that delay instead of failing).
 */
import type { EngineLimits } from "./engine/State.ts"

/** The bounds of a manager and its connections: numbers, of bytes, of milliseconds, or of what the name counts. */
export interface Limits extends EngineLimits {
  readonly frameBytesMax: number
  readonly handshakeBytesMax: number
  readonly handshakeMs: number
  readonly unauthenticatedMax: number
  readonly sessionsMax: number
  readonly sessionGraceMs: number
  readonly silenceMs: number
  readonly inFlightMax: number
  readonly callsPerSecondMax: number
  readonly bytesPerSecondMax: number
  readonly outboundBytesMax: number
  readonly watchCredit: number
}

/** The default of every bound. `ManagerOptions.limits` overrides them one by one. */
export const defaults: Limits = {
  /** Bytes of one message, and so of one value: the memory that a manager spends on one call. */
  frameBytesMax: 16 * 1024 * 1024,
  /** Bytes of a handshake message. One has a few hundred; an unauthenticated peer gets no more memory than this. */
  handshakeBytesMax: 4 * 1024,
  /** Milliseconds for the handshake. A peer that is slower is disconnected: idle sockets must not pile up. */
  handshakeMs: 5_000,
  /** Connections that are in the handshake at a time. Many clients may start together. */
  unauthenticatedMax: 1_024,
  /** Sessions of one manager. A process is one session: more than this is a runaway spawner. */
  sessionsMax: 4_096,
  /** Milliseconds that a session may survive its link, whatever its client asks for: until then it holds what it holds. */
  sessionGraceMs: 60_000,
  /**
   * Milliseconds for which a client whose session has a grace may be silent, unless it asks for less (`maxStall`). It says
   * often that it is there, so its connection is lost then without a word, or its event loop stands still. The grace begins.
   */
  silenceMs: 60_000,
  /** Calls of one session that are sent and neither answered nor parked. Further calls wait in the client (S-8). */
  inFlightMax: 16_384,
  /**
   * Bytes of these calls. Further calls wait in the client. The server keeps the calls that it defers, and the replies
   * of which it does not know that they have arrived: of one session at most that many bytes each, and one frame.
   */
  inFlightBytesMax: 32 * 1024 * 1024,
  /** Calls a second of one session, so that one client does not starve the others. Further requests wait (S-8). */
  callsPerSecondMax: Infinity,
  /** Bytes of these calls a second, for the same reason. */
  bytesPerSecondMax: Infinity,
  /** Bytes queued for a client that does not read. Beyond it the server defers the client's requests (S-12). */
  outboundBytesMax: 8 * 1024 * 1024,
  /** Changes in flight for one subscription. A watcher that is further behind gets a new snapshot instead (S-29). */
  watchCredit: 256,
  /** Shared objects of one manager. An idle one takes about a kilobyte. */
  objectsMax: 1_000_000,
  /** Objects that one session has made and that exist, so that one client does not fill the manager. */
  objectsPerSessionMax: Infinity,
  /** Calls that wait for one object. */
  waitersPerObjectMax: 100_000,
  /** Watchers of one object. The manager sends every change to each of them. */
  watchersPerObjectMax: 10_000,
  /** Calls of one request. They take effect together in one step, and no other request runs meanwhile. */
  callsPerRequestMax: 256,
  /** Characters of a name. The manager keeps names in memory, and messages show them. */
  nameLengthMax: 512,
  /** Nested holds (of locks, permits and conditions) around one call (S-21). */
  guardMax: 16,
  /** Dropped references between two searches for cycles; in a large manager as many as objects. Each visits them all (S-23). */
  traceEveryDrops: 1_024,
  /** Bytes of all objects and values. Beyond it, calls that bring values fail; those that take and remove go on. */
  memoryBytesMax: 1024 * 1024 * 1024
}
