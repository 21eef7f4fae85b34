/** A log in memory, its faults, and the bugs of a log that `checkLog` must find. */
import { Log } from "@effect-multiprocessing/core"
import { checkLog, type LogFault, type LogOperation, makeMemoryLog } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Result, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { budget } from "../../support/budget.ts"

type Service = Log.Log["Service"]

const leader = { host: "host.test", port: 1 }
const realm = "realm"

const check = (log: Service, seed: number) =>
  checkLog({ seed, realm: `check-${seed}` }).pipe(Effect.provideService(Log.Log, log))

const bytesOf = (text: string) => new TextEncoder().encode(text)

const tagOf = <E extends { readonly _tag: string }>(result: Result.Result<unknown, E>) =>
  Result.isSuccess(result) ? "success" : result.failure._tag

/** The entries of a realm as text. */
const read = (log: Service) =>
  Effect.map(
    Stream.runCollect(log.read(realm, 0)),
    (entries) => entries.map(({ bytes }) => new TextDecoder().decode(bytes))
  )

const claim = (log: Service) =>
  Effect.map(Effect.flatMap(log.head(realm), (head) => log.claim(realm, head, leader)), Option.getOrThrow)

describe("checkLog", () => {
  it.effect("finds nothing wrong with a log in memory", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      for (let seed = 1; seed <= budget(20); seed++) assert.deepStrictEqual(yield* check(log, seed), [], `seed ${seed}`)
    }))

  /** Changes every leadership of a log. */
  const leaders = (log: Service, change: (leadership: Log.Leadership) => Partial<Log.Leadership>): Service => ({
    ...log,
    claim: (...args) =>
      Effect.map(log.claim(...args), Option.map((leadership) => ({ ...leadership, ...change(leadership) })))
  })

  const bugs: Record<string, (log: Service) => Service> = {
    "a claim is not conditional on the epoch": (log) => ({
      ...log,
      claim: (realm, _, leader) =>
        Effect.flatMap(Effect.orDie(log.head(realm)), (head) => log.claim(realm, head, leader))
    }),
    "an append is not conditional on the epoch": (log) =>
      leaders(log, ({ append }) => ({
        append: (after, bytes) => Effect.catchTag(append(after, bytes), "Fenced", () => Effect.void)
      })),
    "an append is not conditional on the position": (log) =>
      leaders(log, ({ append }) => ({
        append: (after, bytes) => Effect.catchTag(append(after, bytes), "LogDamaged", () => Effect.void)
      })),
    "an append that is repeated is made twice": (log) =>
      leaders(log, ({ append, position }) => {
        let last = position
        return {
          append: (after, bytes) =>
            Effect.tap(append(after < last ? after + 1 : after, bytes), () => Effect.sync(() => last = after + 1))
        }
      }),
    "a leader is confirmed after its epoch": (log) =>
      leaders(log, ({ confirm }) => ({ confirm: Effect.catchTag(confirm, "Fenced", () => Effect.void) })),
    "a claim ends with nothing": (log) => ({
      ...log,
      claim: (...args) => Scope.provide(log.claim(...args), Scope.makeUnsafe())
    }),
    "an entry is missing": (log) => ({
      ...log,
      read: (...args) => Stream.filter(log.read(...args), ({ position }) => position !== 5)
    }),
    "compacted entries are passed over": (log) => ({
      ...log,
      read: (realm, after, options) =>
        Stream.catchTag(
          log.read(realm, after, options),
          "Compacted",
          ({ snapshot }) => log.read(realm, snapshot, options)
        )
    }),
    "a part of a snapshot is kept": (log) => ({
      ...log,
      putSnapshot: (realm, snapshot) =>
        log.putSnapshot(realm, { ...snapshot, bytes: Stream.catch(snapshot.bytes, () => Stream.empty) })
    }),
    "a realm is taken for another one": (log) => ({ ...log, head: (realm) => log.head(realm.split(" ")[0]!) })
  }

  for (const [name, tamper] of Object.entries(bugs)) {
    it.effect(`finds that ${name}`, () =>
      Effect.gen(function*() {
        const log = tamper(makeMemoryLog())
        for (let seed = 1; seed <= 30; seed++) if ((yield* check(log, seed)).length > 0) return
        assert.fail("30 seeds have not found it")
      }))
  }
})

describe("a fault of a log in memory", () => {
  /** A log, and the fault of its next operation of a name. */
  const faulty = () => {
    const next = new Map<LogOperation, LogFault>()
    const log = makeMemoryLog({
      fault: (operation) => {
        const fault = next.get(operation)
        next.delete(operation)
        return fault
      }
    })
    return { log, next }
  }

  it.effect("that is unavailable has done nothing; that is unknown has done it, and it is done once when it is repeated", () =>
    Effect.gen(function*() {
      const { log, next } = faulty()
      const { append } = yield* claim(log)
      for (const [i, fault] of (["unavailable", "unknown"] as const).entries()) {
        next.set("append", fault)
        const bytes = bytesOf(fault)
        assert.strictEqual(tagOf(yield* Effect.result(append(i, bytes))), "LogUnavailable")
        assert.strictEqual((yield* read(log)).length, fault === "unknown" ? i + 1 : i)
        yield* append(i, bytes)
      }
      assert.deepStrictEqual(yield* read(log), ["unavailable", "unknown"])
    }))

  it.effect("that is fenced ends the epoch of the leader", () =>
    Effect.gen(function*() {
      const { log, next } = faulty()
      const { append, confirm } = yield* claim(log)
      next.set("append", "fenced")
      assert.strictEqual(tagOf(yield* Effect.result(append(0, bytesOf("one")))), "Fenced")
      assert.strictEqual(tagOf(yield* Effect.result(confirm)), "Fenced")
      assert.deepStrictEqual(yield* read(log), [])
    }))

  it.effect("that is slow only delays, and an append is not interrupted meanwhile", () =>
    Effect.gen(function*() {
      const { log, next } = faulty()
      const { append } = yield* claim(log)
      next.set("append", "slow")
      const appending = yield* Effect.forkChild(append(0, bytesOf("one")), { startImmediately: true })
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(appending), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(interrupting)
      assert.deepStrictEqual(yield* read(log), ["one"])
    }))

  it.effect("that is torn ends the bytes of a snapshot", () =>
    Effect.gen(function*() {
      const { log, next } = faulty()
      const { append, epoch } = yield* claim(log)
      yield* append(0, bytesOf("one"))
      yield* log.putSnapshot(realm, {
        position: 1,
        epoch,
        engineVersion: 1,
        bytes: Stream.make(bytesOf("sta"), bytesOf("te"))
      })
      const whole = () =>
        Effect.flatMap(log.snapshot(realm), (snapshot) =>
          Stream.mkString(Stream.decodeText(Option.getOrThrow(snapshot).bytes)))
      next.set("snapshot", "torn")
      assert.strictEqual(tagOf(yield* Effect.result(whole())), "LogUnavailable")
      assert.strictEqual(yield* whole(), "state")
    }))
})
