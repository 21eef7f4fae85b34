/**
 * Progress for people: a redrawn bar on a terminal, and elsewhere one line for each tenth of the total.
 *
 * ```text
 *   [##############................] 286/572 files, 124 files/s, 3 s left
 *   progress: 286/572 files, 124 files/s, 3 s left
 * ```
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** Options of `make` and `show`. */
export interface Options {
  /** The number of units to be done: a whole number of at least 1. */
  readonly total: number
  /** The plural noun of the units. Default "tasks". */
  readonly unit?: string | undefined
  /** Whether to draw a bar. Default: whether standard output is a terminal. */
  readonly terminal?: boolean | undefined
  /** Writes the text. Default: to standard output. */
  readonly write?: ((text: string) => void) | undefined
}

/** A progress display. Made by `make`. */
export interface Progress {
  /** Shows that `done` units are done. */
  readonly set: (done: number) => Effect.Effect<void>
  /** Prints a line above the bar. */
  readonly note: (text: string) => Effect.Effect<void>
}

/** Shows progress for the life of the scope. When the scope ends, the bar is drawn a last time and its line ends. */
export const make = (
  { terminal = process.stdout.isTTY, total, unit = "tasks", write = toStandardOutput }: Options
): Effect.Effect<Progress, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const nowMs = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    const started = nowMs()
    let done = 0
    let drawnMs = -Infinity
    let part = 0

    const text = () => {
      const rate = done / Math.max((nowMs() - started) / 1_000, 0.001)
      const left = done === 0 || done >= total ? "" : `, ${Math.ceil((total - done) / rate)} s left`
      return `${done}/${total} ${unit}, ${rate.toFixed(0)} ${unit}/s${left}`
    }
    const draw = () => {
      drawnMs = nowMs()
      const bar = "#".repeat(Math.floor(Math.min(1, done / total) * width)).padEnd(width, ".")
      write(`${redraw}[${bar}] ${text()}`)
    }
    const setOnTerminal = () => {
      if (done >= total || nowMs() - drawnMs >= redrawMs) draw()
    }
    const setOnLines = () => {
      const now = Math.floor(done / total * parts)
      if (now === part) return
      part = now
      write(`progress: ${text()}\n`)
    }
    if (terminal) {
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          draw()
          write("\n")
        })
      )
    }
    return {
      set: (now) =>
        Effect.sync(() => {
          done = now
          if (terminal) setOnTerminal()
          else setOnLines()
        }),
      note: (note) =>
        Effect.sync(() => {
          if (!terminal) return write(`${note}\n`)
          write(`${redraw}${note}\n`)
          draw()
        })
    }
  })

/**
 * Shows the numbers of a stream as units done. Ends when the stream ends, or when `total` is reached. Fails as the
 * stream does.
 *
 * **Fairness** Pulls the stream as fast as it draws. **Cancellation** Interruptible; the bar's line ends. **On
 * disconnect** As the stream.
 */
export const show = <E, R>(done: Stream.Stream<number, E, R>, options: Options): Effect.Effect<void, E, R> =>
  Effect.flatMap(make(options), ({ set }) =>
    done.pipe(
      Stream.tap(set),
      Stream.takeUntil((now) => now >= options.total),
      Stream.runDrain
    )).pipe(Effect.scoped)

// internals

/** Characters of the bar. */
const width = 30

/** Milliseconds between two drawings of the bar: people do not see more of them. */
const redrawMs = 50

/** Lines in all, where no bar is drawn. */
const parts = 10

/** Returns to the beginning of the line and erases it. */
const redraw = "\r\u001b[K"

const toStandardOutput = (text: string): void => {
  process.stdout.write(text)
}
