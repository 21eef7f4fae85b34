/** A host of a realm that cannot go on says so: its fibers end without anybody who waits for them. */
import { Log, Manager } from "@effect-multiprocessing/core"
import { makeMemoryLog } from "@effect-multiprocessing/core/testing"
import { NodeRealm } from "@effect-multiprocessing/node"
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Layer, Logger, Redacted, Stream } from "effect"
import { until } from "../../support/Memory.ts"

it.live("a defect of a candidate is told once, with its stack and what it means", () =>
  Effect.gen(function*() {
    const log = makeMemoryLog()
    let isBroken = false
    const watch: typeof log.watch = (realm) =>
      Stream.suspend(() => isBroken ? Stream.die(new Error("a bug")) : log.watch(realm))
    const logged: Array<string> = []
    yield* Effect.gen(function*() {
      yield* (yield* Manager.Manager).counts
      isBroken = true
      yield* log.claim("realm", yield* log.head("realm"), { host: "other.test", port: 1 })
      yield* until("it is told", () => logged.some((line) => line.includes("candidacy")))
    }).pipe(
      Effect.provide(
        NodeRealm.layer({
          realm: "realm",
          key: Redacted.make("the key of the realm"),
          listen: { host: "127.0.0.1", port: 0 },
          workers: false
        }).pipe(
          Layer.provide(Layer.succeed(Log.Log, { ...log, watch })),
          Layer.provideMerge(Logger.layer([Logger.make(({ cause, message }) => {
            logged.push(`${message} ${Cause.pretty(cause)}`)
          })]))
        )
      )
    )
    const told = logged.filter((line) => line.includes("candidacy"))
    assert.lengthOf(told, 1)
    assert.match(told[0]!, /ended the candidacy of this host for "realm".*Error: a bug.*realm\.test\.ts/s)
  }).pipe(Effect.scoped))
