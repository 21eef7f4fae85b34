/** Open or closed; whoever waits is let through. */
import type { Answer, Call, Granted, MakeModel, Model, Reply } from "./Model.ts"

class LatchModel implements Model {
  readonly unguarded = new Set<string>()
  readonly grants = new Map<number, Granted>()
  #isOpen: boolean
  #released: number

  constructor(isOpen = false, released = 0) {
    this.#isOpen = isOpen
    this.#released = released
  }

  look({ index, operation }: Call): Answer | undefined {
    switch (operation) {
      case "await":
        // In the step of its release, and only there, a closed latch lets through.
        return this.#isOpen || index === this.#released ? { reply: [] } : undefined
      case "open":
      case "release":
        return this.#isOpen ? { reply: [0] } : undefined
      case "close":
        return this.#isOpen ? undefined : { reply: [0] }
      case "isOpen":
        return { reply: [this.#isOpen ? 1 : 0] }
    }
    return undefined
  }

  change(call: Call): Reply | undefined {
    if (this.look(call) !== undefined) return undefined
    switch (call.operation) {
      case "open":
        this.#isOpen = true
        return [1]
      case "close":
        this.#isOpen = false
        return [1]
      case "release":
        this.#released = call.index
        return [1]
    }
    return undefined
  }

  revoke(): void {}

  isPristine(): boolean {
    return !this.#isOpen
  }

  state(): unknown {
    return [this.#isOpen, this.#released]
  }

  copy(): LatchModel {
    return new LatchModel(this.#isOpen, this.#released)
  }
}

/** A closed latch. */
export const makeLatch: MakeModel = () => new LatchModel()
