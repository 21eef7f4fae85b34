/** The window of a connection: its calls that are sent and neither answered nor parked, their number and their bytes (S-8). */
import type { Call } from "./Call.ts"

/** How much may be in flight. */
export interface WindowLimits {
  readonly inFlightMax: number
  readonly inFlightBytesMax: number
}

/** What is in flight. */
export class Window {
  readonly #limits: WindowLimits
  #calls = 0
  #bytes = 0

  constructor(limits: WindowLimits) {
    this.#limits = limits
  }

  /** Whether it has no room for a further call. The last one that it has admitted may have any size. */
  get isFull(): boolean {
    return this.#calls >= this.#limits.inFlightMax || this.#bytes >= this.#limits.inFlightBytesMax
  }

  /** A call is sent. */
  enter(call: Call): void {
    this.#calls++
    this.#bytes += call.bytes
  }

  /** A call is answered, parked or withdrawn. */
  leave(call: Call): void {
    if (call.state !== "Sent") return
    this.#calls--
    this.#bytes -= call.bytes
  }
}
