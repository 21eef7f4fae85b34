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
import type * as Scope from "effect/Scope"
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

/** Progress that is being shown. */
export interface Progress {
  /** So much is done. */
  readonly set: (done: number) => Effect.Effect<void>
  /** A line of its own, above the bar. */
  readonly note: (text: string) => Effect.Effect<void>
}

/** Shows progress for the life of the scope; a bar ends with its line. */
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
 * Shows how much is done as a stream tells it, until that ends or everything is done.
 *
 * **Cancellation** Interruptible; a bar ends with its line.
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

/** Between two drawings of the bar: more of them nobody sees. */
const redrawMs = 50

/** Lines on the way, where nothing can be redrawn. */
const parts = 10

/** To the beginning of the line, which is erased. */
const redraw = "\r\u001b[K"

const toStandardOutput = (text: string): void => {
  process.stdout.write(text)
}
