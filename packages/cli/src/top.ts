/** `emp top`: a manager at work. Live on a terminal, else as lines or JSON. */
import { Manager } from "@effect-multiprocessing/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Output from "./output.ts"
import * as View from "./topView.ts"

/** The options of `top`. */
export interface Options {
  readonly json: boolean
  readonly once: boolean
  /** Seconds from one sample to the next. */
  readonly interval: number
}

/** The rows of a table where there is no terminal. */
const rowsMax = 20

/** Shows samples until a signal ends it, or one. */
export const top = (options: Options): Effect.Effect<void, unknown, Manager.Manager> => {
  const isLive = process.stdout.isTTY && !options.json && !options.once
  return isLive ? Effect.scoped(Effect.andThen(screen, samples(options, showFrame))) : samples(options, showLines)
}

type Show = (view: View.View, options: Options) => Effect.Effect<void>

const samples = (options: Options, show: Show): Effect.Effect<void, unknown, Manager.Manager> =>
  Effect.gen(function*() {
    const { inspect } = yield* Manager.Manager
    let last: View.Sample | undefined
    for (;;) {
      const before = yield* Clock.currentTimeMillis
      const inspection = yield* inspect
      const at = yield* Clock.currentTimeMillis
      const sample = { at, inspection }
      yield* show(View.viewOf(last, sample, rowsOf(options)), options)
      last = sample
      if (options.once) return
      // A large manager is read in many pages: at most a tenth of the time.
      yield* Effect.sleep(Math.max(options.interval * 1_000, 9 * (at - before)))
    }
  })

/** The rows of one table: on a terminal the three of them fill it. */
const rowsOf = ({ json }: Options): number =>
  json || !process.stdout.isTTY ? rowsMax : Math.max(1, Math.floor((process.stdout.rows - 7) / 3))

const showLines: Show = (view, { json, once }) =>
  json ? Output.printJson(view) : Output.print(...View.lines(view), ...once ? [] : [""])

const showFrame: Show = (view) => {
  const { columns, rows } = process.stdout
  return Output.write(View.frame(View.lines(view), columns, rows))
}

/** The other screen of the terminal, without a cursor, for the life of the scope. */
const screen = Effect.acquireRelease(
  Output.write("\u001b[?1049h\u001b[?25l"),
  () => Output.write("\u001b[?25h\u001b[?1049l")
)
