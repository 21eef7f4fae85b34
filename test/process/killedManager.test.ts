/**
 * A durable manager that is killed at random points, while clients perform random programs: nothing that it had replied is
 * lost, and nothing is there that no client has asked for (S-31).
 *
 * The files of a process that was stopped are those that a kill would leave. So at most points the process is stopped, its
 * files are copied, and it goes on; what a manager makes of the copy is compared with what the clients had heard.
 */
import * as Invariants from "#core/engine/Invariants.ts"
import { Ledger } from "#core/testing/Ledger.ts"
import * as NetLink from "#node/netLink.ts"
import { Manager } from "@effect-multiprocessing/core"
import { certify, type History, type JournalEntry, Random, Recorder } from "@effect-multiprocessing/core/testing"
import { NodeLog } from "@effect-multiprocessing/node"
import { assert, it } from "@effect/vitest"
import { Effect, Redacted, Schedule } from "effect"
import { copyFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { performAll } from "../conformance/specimens.ts"
import { draw } from "../simulation/Plan.ts"
import { budget, isWhole } from "../support/budget.ts"
import { beginReplay } from "../support/replay.ts"
import { fixture, freeze, start, waitUntil } from "./harness.ts"

/** Processes that use one file, one after the other, and the points at which each is struck: the last one kills it. */
const lives = 2
const points = isWhole ? 19 : 7

const key = Redacted.make("the key of the durable manager")

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "killed-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** What clients have said and heard. */
class Heard {
  events = 0
  readonly #recorders: Array<Recorder> = []

  readonly recorderOf = (client: string): Recorder => {
    const recorder = new Recorder({ client, clock: "events", now: () => ++this.events })
    this.#recorders.push(recorder)
    return recorder
  }

  /** All of it up to now. */
  get now(): Pick<Required<History>, "records" | "watches"> {
    return {
      records: this.#recorders.flatMap(({ records }) => records.map((record) => ({ ...record }))),
      watches: this.#recorders.flatMap(({ watches }) => watches.map((watch) => ({ ...watch, told: [...watch.told] })))
    }
  }
}

/** What a manager would make of a file: each change, and what is wrong with its state. */
const resume = Effect.fnUntraced(function*(path: string) {
  const log = yield* NodeLog.makeSqlite({ path, survives: "process" })
  const journal: Array<JournalEntry> = []
  const { advance, engine } = yield* beginReplay(log, "manager", (entry) => journal.push(entry))
  yield* advance
  return { journal, broken: Invariants.violations(engine) }
}, Effect.scoped)

/** Differences between a file and what clients had heard when it was as it is. */
const differences = Effect.fnUntraced(function*(path: string, { records, watches }: Heard["now"]) {
  const { broken, journal } = yield* resume(path)
  const asked = new Set(records.map(({ call, sequence, session }) => `${session}:${sequence}:${call}`))
  const invented = journal.filter(({ call, cause, sequence, session }) =>
    cause === "request" && !asked.has(`${session}:${sequence}:${call}`)
  )
  return [
    ...broken,
    ...certify({ journal, records, watches }),
    ...invented.map(({ index, operation }) => `nobody has asked for ${operation}, index ${index}`)
  ]
})

/** Strikes the processes of one file, and returns what is wrong after each strike. */
const generation = Effect.fnUntraced(function*(seed: number) {
  const inside = yield* folder
  const [path, socket] = [join(inside, "state"), join(inside, "socket")]
  const random = new Random(seed)
  const heard = new Heard()
  const serve = Effect.gen(function*() {
    const program = yield* start(fixture("durable"), path, socket)
    yield* waitUntil("it serves", () => program.output().includes("ready"))
    return program
  })
  const connect = (listen: Parameters<Parameters<typeof performAll>[2]["connect"]>[0]) =>
    Manager.makeConnected(Effect.map(NetLink.connect({ path: socket }), listen), {
      address: socket,
      key,
      label: { name: "client", pid: process.pid },
      reconnect: { grace: "1 minute" }
    }).pipe(
      // The next process may not serve yet.
      Effect.retry(Schedule.spaced("20 millis")),
      Effect.provide(Manager.layerCrypto)
    )
  const ledger = new Ledger()
  const work = (seed: number): Effect.Effect<never, unknown> =>
    Effect.andThen(
      performAll({ ...draw(seed), clients: 4 }, ledger, { connect }, heard.recorderOf),
      Effect.suspend(() => work(seed + 1))
    )
  /** Until some more messages have passed. */
  const moment = Effect.suspend(() => {
    const until = heard.events + 1 + random.below(30)
    return Effect.repeat(Effect.yieldNow, { until: () => Effect.sync(() => heard.events >= until) })
  })
  const wrong: Array<string> = []
  /** Compares a copy of the files as they are now with what the clients have heard, while the process goes on. */
  const judge = Effect.fnUntraced(function*(name: string, goOn: () => void) {
    const now = heard.now
    const copy = join(inside, name)
    copyFileSync(path, copy)
    copyFileSync(`${path}-wal`, `${copy}-wal`)
    goOn()
    wrong.push(...(yield* differences(copy, now)).map((difference) => `seed ${seed}: ${difference}`))
  })
  const strike = Effect.gen(function*() {
    for (let life = 0; life < lives; life++) {
      const program = yield* serve
      for (let point = 1; point < points; point++) {
        yield* moment
        yield* freeze(program.pid)
        yield* judge(`${life}-${point}`, () => process.kill(program.pid, "SIGCONT"))
      }
      yield* moment
      program.process.kill("SIGKILL")
      yield* program.exit
      yield* judge(`${life}-killed`, () => {})
    }
  })
  yield* Effect.raceFirst(strike, Effect.orDie(work(seed)))
  return wrong
}, Effect.scoped)

it.live("a durable manager has all that it had replied, and nothing that nobody has asked for, wherever it is killed", () =>
  Effect.gen(function*() {
    const seed = Date.now() % 1_000_000
    for (let n = 0; n < budget(1); n++) assert.deepStrictEqual(yield* generation(seed + n * 100), [])
  }))
