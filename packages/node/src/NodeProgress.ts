/**
 * Progress for a person: on a terminal a bar that redraws, elsewhere a line for each tenth of the way.
 *
 * ```text
 *   [##############................] 286/572 files, 124 files/s, 3 s left
 *   progress: 286/572 files, 124 files/s, 3 s left
 * ```
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** What is shown, and where. */
export interface Options {
  /** How much there is to do: a whole number of at least 1. */
  readonly total: number
  /** What is counted. Default "tasks". */
  readonly unit?: string | undefined
  /** Whether lines can be redrawn. Default: whether standard output is a terminal. */
  readonly terminal?: boolean | undefined
  /** Where the text goes. Default: standard output. */
  readonly write?: ((text: string) => void) | undefined
}

/** Characters of the bar. */
const width = 30

/** Between two drawings of the bar: more of them nobody sees. */
const redrawMs = 50

const parts = 10

/**
 * Shows how much is done as a stream tells it, until that ends or everything is done; answers the last number.
 *
 * **Cancellation** Interruptible; a bar that was begun ends with its line.
 */
export const show = <E, R>(
  done: Stream.Stream<number, E, R>,
  { terminal = process.stdout.isTTY, total, unit = "tasks", write = toStandardOutput }: Options
): Effect.Effect<number, E, R> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const nowMs = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    const started = nowMs()
    let last = 0
    let drawnMs = -Infinity
    let part = 0

    const text = () => {
      const rate = last / Math.max((nowMs() - started) / 1_000, 0.001)
      const left = last === 0 || last >= total ? "" : `, ${Math.ceil((total - last) / rate)} s left`
      return `${last}/${total} ${unit}, ${rate.toFixed(0)} ${unit}/s${left}`
    }
    const draw = () => {
      drawnMs = nowMs()
      const bar = "#".repeat(Math.floor(Math.min(1, last / total) * width)).padEnd(width, ".")
      // To the beginning of the line, and what was longer before is erased.
      write(`\r[${bar}] ${text()}\u001b[K`)
    }
    const line = () => {
      part = Math.floor(last / total * parts)
      write(`progress: ${text()}\n`)
    }
    const tell = (now: number) => {
      last = now
      if (terminal ? last >= total || nowMs() - drawnMs >= redrawMs : Math.floor(last / total * parts) > part) {
        if (terminal) draw()
        else line()
      }
    }
    yield* done.pipe(
      Stream.tap((now) => Effect.sync(() => tell(now))),
      Stream.takeUntil((now) => now >= total),
      Stream.runDrain,
      Effect.ensuring(Effect.sync(() => {
        if (!terminal || drawnMs === -Infinity) return
        draw()
        write("\n")
      }))
    )
    return last
  })

const toStandardOutput = (text: string): void => {
  process.stdout.write(text)
}
