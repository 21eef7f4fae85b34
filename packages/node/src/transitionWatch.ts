/**
 * A word for a transition that does not return: it holds up the thread of the manager, so another thread has to say so.
 *
 * The manager's thread counts while it is alive, and notes which function of which kind it runs. The other thread looks
 * twice a second. What it writes on standard error is printed by the owner.
 */
import type { Kind } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Worker } from "node:worker_threads"

/** How often the manager's thread counts, and the other thread looks, in milliseconds. */
const beatMs = 250
const lookMs = 500

/** Looks without a new count, after which the thread is held up: a second. */
const looks = 2

/** The program of the other thread, which loads no file: a bundle has none. */
const program = `
const { workerData: { names, shared } } = require("node:worker_threads")
const { writeSync } = require("node:fs")
let count = 0
let silent = 0
setInterval(() => {
  const now = Atomics.load(shared, 0)
  silent = now === count ? silent + 1 : 0
  count = now
  const name = names[Atomics.load(shared, 1) - 1]
  if (silent === ${looks} && name !== undefined) writeSync(2, name +
    " has run for a second and does not return. Meanwhile the manager serves nothing: a transition must return at once\\n")
}, ${lookMs})
`

/**
 * Kinds whose functions are noted, and the effect that has the manager's thread watched for the life of the scope. A
 * function that threw stays noted until the next one runs: nothing is said of it, because the thread goes on counting.
 */
export const watch = (
  kinds: ReadonlyArray<Kind.Any>
): { readonly kinds: ReadonlyArray<Kind.Any>; readonly start: Effect.Effect<void, never, Scope.Scope> } => {
  const names: Array<string> = []
  /** The count of the manager's thread, and the position of the running function in `names`, from 1; 0: none. */
  const shared = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))
  const noted = <Args extends ReadonlyArray<unknown>, A>(name: string, run: (...args: Args) => A) => {
    const position = names.push(name)
    return (...args: Args): A => {
      shared[1] = position
      const result = run(...args)
      shared[1] = 0
      return result
    }
  }
  const allNoted = <Args extends ReadonlyArray<unknown>, A>(
    functions: Readonly<Record<string, (...args: Args) => A>>,
    nameOf: (operation: string) => string
  ) => Object.fromEntries(Object.entries(functions).map(([name, run]) => [name, noted(nameOf(name), run)]))
  return {
    kinds: kinds.map(({ functions, ...kind }) => ({
      ...kind,
      functions: {
        ...functions,
        initial: noted(`initial of ${kind.name}`, functions.initial),
        transitions: allNoted(functions.transitions, (name) => `the transition ${name} of ${kind.name}`),
        released: allNoted(functions.released, (name) => `released.${name} of ${kind.name}`)
      }
    })),
    start: Effect.acquireRelease(
      Effect.sync(() => {
        const worker = new Worker(program, { eval: true, workerData: { names, shared }, execArgv: [] })
        worker.on("error", () => {}).unref()
        const timer = setInterval(() => Atomics.add(shared, 0, 1), beatMs).unref()
        return { timer, worker }
      }),
      ({ timer, worker }) =>
        Effect.sync(() => {
          clearInterval(timer)
          void worker.terminate()
        })
    )
  }
}
