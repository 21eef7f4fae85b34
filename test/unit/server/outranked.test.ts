/** Candidates of which one is to lead rather than the other. */
import { type Log, Manager, SharedRef } from "@effect-multiprocessing/core"
import { makeMemoryLog } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Option, Redacted, Schema, Scope } from "effect"
import { until } from "../../support/Memory.ts"

const realm = "realm"
const key = Redacted.make("the key of the realm")
const leaseMs = 300

/** A candidate that campaigns for the life of the scope. */
const campaign = Effect.fnUntraced(
  function*(log: Log.Log["Service"], host: string, outranks: ReadonlyArray<string> = []) {
    const candidate = yield* Manager.makeCandidate({
      key,
      realm,
      log,
      lease: leaseMs,
      outranks: (leader) => outranks.includes(leader.host)
    })
    yield* Effect.forkScoped(candidate.run({ host, port: 1 }))
    return candidate
  }
)

const sum = SharedRef.make({ name: "sum", schema: Schema.Int, initial: 0 })

/** Uses the manager by a candidate, as soon as that leads. */
const use = <A, E>(candidate: Manager.Candidate, body: Effect.Effect<A, E, Manager.Manager | Scope.Scope>) => {
  const label = { name: "client", pid: 0 }
  return Manager.makeConnected(Manager.openLocal(candidate), { address: "memory", key, label }).pipe(
    Effect.flatMap((manager) => Effect.provideService(body, Manager.Manager, manager)),
    Effect.scoped,
    Effect.tapError(() => Effect.sleep(10)),
    Effect.eventually
  )
}

const get = Effect.flatMap(sum, (sum) => sum.get)

describe("a candidate", () => {
  it.live("takes the place of a leader that it outranks, in the same state; the other one leads again when it ends", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      const second = yield* campaign(log, "second")
      yield* use(second, Effect.flatMap(sum, (sum) => sum.set(1)))
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(campaign(log, "first", ["second"]), scope)
      assert.strictEqual(yield* use(first, get), 1)
      yield* until("the second one follows", () => !second.isLeading())
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* use(second, get), 1)
    }).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto)))

  it.live("that disagrees with another one about who is first takes its place after five leases at the earliest", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      /** When a leader was replaced that was heard within the lease, and when it had begun. */
      const replaced: Array<{ readonly at: number; readonly after: number }> = []
      let begunAt = 0
      const observed: Log.Log["Service"] = {
        ...log,
        claim: (name, seen, leader) =>
          Effect.tap(log.claim(name, seen, leader), (claimed) =>
            Effect.map(Clock.currentTimeMillis, (now) => {
              if (Option.isNone(claimed)) return
              const isHeard = Option.exists(seen, ({ leader, silent }) =>
                Option.isSome(leader) && Duration.toMillis(silent) < leaseMs)
              if (isHeard) {
                replaced.push({ at: now, after: now - begunAt })
              }
              begunAt = now
            }))
      }
      yield* campaign(observed, "one", ["two"])
      yield* campaign(observed, "two", ["one"])
      yield* Effect.repeat(Effect.sleep(10), { until: () => replaced.length >= 2 })
      for (const { after } of replaced) assert.isAtLeast(after, 5 * leaseMs)
    }).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto)))
})
