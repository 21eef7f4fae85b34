/**
 * Every bound of a manager, with its reason. Going over one is a typed error that names it, never silence.
 */
import type { EngineLimits } from "./engine/State.ts"

/** The bounds of a manager and its connections. */
export interface Limits extends EngineLimits {
  readonly frameBytesMax: number
  readonly handshakeBytesMax: number
  readonly handshakeMs: number
  readonly unauthenticatedMax: number
  readonly sessionsMax: number
  readonly inFlightMax: number
  readonly outboundBytesMax: number
  readonly watchCredit: number
}

/** The defaults. */
export const defaults: Limits = {
  /** One message, and so one value: what a manager is willing to hold in memory for one call. */
  frameBytesMax: 16 * 1024 * 1024,
  /** A handshake message is some hundred bytes; a stranger gets no more memory than this. */
  handshakeBytesMax: 4 * 1024,
  /** A peer that has not proved the key by then is gone: idle sockets must not pile up. */
  handshakeMs: 5_000,
  /** Connections in the middle of the handshake; many clients may start together. */
  unauthenticatedMax: 1_024,
  /** One process is one session: more than this on one machine is a runaway spawner. */
  sessionsMax: 4_096,
  /** Calls of one session that were sent and are neither answered nor parked; later ones wait in the client (S-8). */
  inFlightMax: 16_384,
  /** Bytes queued to a reader that does not read: beyond it the server stops reading its requests (S-12). */
  outboundBytesMax: 8 * 1024 * 1024,
  /** Events in flight per subscription before the watcher gets a fresh snapshot instead (S-29). */
  watchCredit: 256,
  /** Shared objects of one manager: an idle one costs about a kilobyte. */
  objectsMax: 1_000_000,
  /** Calls that wait on one object, over all its lanes. */
  waitersPerObjectMax: 100_000,
  /** Every change is told to every watcher. */
  watchersPerObjectMax: 10_000,
  /** Calls that take effect together in one step, which nobody can interrupt. */
  callsPerRequestMax: 256,
  /** Names are kept in memory and shown to people. */
  nameLengthMax: 512,
  /** Locks nested in one another around one call (S-21). */
  guardMax: 16,
  /** How many dropped references there are between two searches for cycles: each search visits every object (S-23). */
  traceEveryDrops: 1_024
}
