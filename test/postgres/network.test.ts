/** A realm of two hosts, and networks that fail between them, PostgreSQL and the clients. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { inject } from "vitest"
import { sample } from "../support/budget.ts"
import { type Host, leaseMs, makeHost, makeWay, openLog, socketIn, watching } from "./hosts.ts"

let schemas = 0

/** Two hosts, the first of which leads, and the log as nothing disturbs it. */
const makeRealm = Effect.gen(function*() {
  const socket = socketIn(inject("postgres"))
  const schema = `network ${++schemas}`
  const leader = yield* makeHost(socket, schema)
  const standby = yield* makeHost(socket, schema)
  const log = yield* openLog((yield* makeWay(socket, schema)).options)
  return { leader, standby, log }
})

/** A fault, and its end. */
type Fault = readonly [title: string, begin: (host: Host) => void, end: (host: Host) => void]

const ofLeaders: ReadonlyArray<Fault> = [
  ["loses its connections to the log", ({ toLog }) => toLog.refuse(true), ({ toLog }) => toLog.refuse(false)],
  [
    "cannot reach the log, and nobody is told",
    ({ toLog }) => toLog.pass("nothing"),
    ({ toLog }) => toLog.pass("all")
  ],
  ["gets no answers from the log", ({ toLog }) => toLog.pass("requests"), ({ toLog }) => toLog.pass("all")],
  [
    "is isolated",
    (host) => [host.toLog, host.toClients].forEach((network) => network.pass("nothing")),
    (host) => [host.toLog, host.toClients].forEach((network) => network.pass("all"))
  ],
  [
    "is isolated, and has to make new connections afterwards",
    (host) =>
      [host.toLog, host.toClients].forEach((network) => {
        network.abandon()
        network.pass("nothing")
      }),
    (host) => [host.toLog, host.toClients].forEach((network) => network.pass("all"))
  ]
]

const ofClients: ReadonlyArray<Fault> = [
  ["cannot reach it", ({ toClients }) => toClients.pass("nothing"), ({ toClients }) => toClients.pass("all")],
  ["get no replies", ({ toClients }) => toClients.pass("requests"), ({ toClients }) => toClients.pass("all")],
  ["are refused", ({ toClients }) => toClients.refuse(true), ({ toClients }) => toClients.refuse(false)],
  ["have to make new connections, and are not told", ({ toClients }) => toClients.abandon(), () => {}]
]

describe("a leader that", () => {
  it.live.each(sample(ofLeaders))(
    "%s: another one leads, nothing is lost, and it leads again when that one fails",
    ([, begin, end]) =>
      Effect.gen(function*() {
        const { leader, log, standby } = yield* makeRealm
        const wrong = yield* watching(
          log,
          Effect.fnUntraced(function*({ goOn, leads }) {
            for (const [struck, other] of [[leader, standby], [standby, leader]] as const) {
              yield* goOn
              begin(struck)
              yield* leads(other)
              yield* goOn
              end(struck)
            }
            yield* goOn
          })
        )
        assert.deepStrictEqual(wrong, [])
      }).pipe(Effect.scoped)
  )
})

describe("a leader whose clients", () => {
  it.live.each(sample(ofClients))(
    "%s: it stays the leader, and nothing is lost",
    ([, begin, end]) =>
      Effect.gen(function*() {
        const { leader, log } = yield* makeRealm
        const wrong = yield* watching(
          log,
          Effect.fnUntraced(function*({ epoch, goOn }) {
            yield* goOn
            const before = yield* epoch
            begin(leader)
            // Long enough for others to take its place, if they did.
            yield* Effect.sleep(3 * leaseMs)
            assert.strictEqual(yield* epoch, before)
            end(leader)
            yield* goOn
          })
        )
        assert.deepStrictEqual(wrong, [])
      }).pipe(Effect.scoped)
  )
})

describe("a standby that is isolated", () => {
  it.live("disturbs nobody, and leads when its turn comes after that, also by new connections alone", () =>
    Effect.gen(function*() {
      const { leader, log, standby } = yield* makeRealm
      const wrong = yield* watching(
        log,
        Effect.fnUntraced(function*({ epoch, goOn, leads }) {
          yield* goOn
          const before = yield* epoch
          standby.toLog.abandon()
          standby.toLog.pass("nothing")
          standby.toClients.pass("nothing")
          yield* Effect.sleep(3 * leaseMs)
          yield* goOn
          assert.strictEqual(yield* epoch, before)
          standby.toLog.pass("all")
          standby.toClients.pass("all")
          leader.toLog.refuse(true)
          yield* leads(standby)
          yield* goOn
        })
      )
      assert.deepStrictEqual(wrong, [])
    }).pipe(Effect.scoped))
})
