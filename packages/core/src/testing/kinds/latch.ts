/** Open or closed; whoever waits is let through. */
import { latch as kind } from "../../engine/kinds/latch.ts"
import * as SharedLatch from "../../SharedLatch.ts"
import type { Answer, Call, Granted, Model, Reply } from "./Model.ts"
import { specimen } from "./Specimen.ts"

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

/** The specimen of `Latch`. */
export const latch = specimen({
  kind,
  model: () => new LatchModel(),
  samples: { go: (name) => SharedLatch.make({ name }) },
  actions: {
    await: ({ go }, { impatiently }) => impatiently(go.await),
    open: ({ go }) => go.open,
    close: ({ go }) => go.close,
    release: ({ go }) => go.release,
    isOpen: ({ go }) => go.isOpen
  },
  help: ({ go }) => [go.release]
})
