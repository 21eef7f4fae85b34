/**
 * The gate through which every frame of a session leaves (S-3).
 *
 * By default a frame leaves at once. With a commit policy the frames of a turn are held until the policy has released
 * that turn and every turn before it, while the engine goes on taking inputs. So no client hears of a change that is
 * not committed, nor reads one, and each link carries its frames in their order.
 */
import * as Effect from "effect/Effect"
import type { Link } from "../transport/Link.ts"

/**
 * Called at the end of each turn that has frames, in the order of the turns. `release` lets the frames out, in this turn
 * or in a later one.
 */
export type Commit = (release: () => void) => void

/** A turn that is not released, or that is behind such a turn. */
interface HeldTurn {
  /** Run on release, in order. Most of them send a frame. */
  readonly actions: Array<() => void>
  isReleased: boolean
}

const emptyTurn = (): HeldTurn => ({ actions: [], isReleased: false })

/** The gate of one server. */
export class Gate {
  readonly #commit: Commit | undefined
  readonly #held: Array<HeldTurn> = []
  #current = emptyTurn()

  constructor(commit: Commit | undefined) {
    this.#commit = commit
  }

  /** A link whose sent bytes pass this gate. Held bytes count as pending. */
  guard(link: Link): Link {
    if (this.#commit === undefined) return link
    let held = 0
    let drained = () => {}
    return {
      send: (bytes) => {
        held += bytes.length
        this.#current.actions.push(() => {
          held -= bytes.length
          link.send(bytes)
          if (held === 0 && link.pendingBytes() === 0) drained()
        })
      },
      pendingBytes: () => held + link.pendingBytes(),
      read: ({ onBytes, onDrain }) =>
        Effect.suspend(() => {
          drained = onDrain
          return link.read({ onBytes, onDrain: () => held === 0 && onDrain() })
        })
    }
  }

  /** The turn is over: its frames leave, or wait for their release. */
  endTurn(): void {
    if (this.#commit === undefined || this.#current.actions.length === 0) return
    const turn = this.#current
    this.#current = emptyTurn()
    this.#held.push(turn)
    this.#commit(() => {
      turn.isReleased = true
      this.#release()
    })
  }

  /** Waits until every frame up to now has left. */
  readonly released: Effect.Effect<void> = Effect.callback((resume) => {
    const last = this.#current.actions.length > 0 ? this.#current : this.#held.at(-1)
    if (last === undefined) resume(Effect.void)
    else last.actions.push(() => resume(Effect.void))
  })

  #release(): void {
    while (this.#held[0]?.isReleased === true) for (const action of this.#held.shift()!.actions) action()
  }
}
