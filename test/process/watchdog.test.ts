/** The program of the watchdog, whose owner is the test. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Line } from "../../packages/node/src/watchdog.ts"
import { waitUntil } from "./harness.ts"

const program = fileURLToPath(new URL("../../packages/node/dist/programs/watchdog.cjs", import.meta.url))

/** A process that waits, in a group of its own, for the life of the scope. */
const waitingWith = (environment: NodeJS.ProcessEnv) =>
  Effect.acquireRelease(
    Effect.sync(() => spawn("sleep", ["1000"], { detached: true, stdio: "ignore", env: environment })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const waiting = waitingWith(process.env)

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

const guard = ({ pid }: ChildProcess, folder?: string): Line => ({ group: pid!, guard: { graceMs: 10, folder } })

/** Tells a new watchdog something, ends its input, and waits until it has ended. */
const watch = (
  lines: ReadonlyArray<Line>,
  meanwhile: (watchdog: ChildProcess) => Effect.Effect<void> = () => Effect.void
) =>
  Effect.gen(function*() {
    const watchdog = spawn(process.execPath, [program], { stdio: ["pipe", "inherit", "inherit"] })
    watchdog.stdin.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
    yield* meanwhile(watchdog)
    yield* waitUntil("the watchdog has ended", () => hasEnded(watchdog))
    assert.strictEqual(watchdog.exitCode, 0)
  })

it.live("a watchdog kills the groups that are guarded, and none that was released", () =>
  Effect.gen(function*() {
    const [released, guarded] = [yield* waiting, yield* waiting]
    yield* watch([guard(released), guard(guarded), { group: released.pid! }])
    yield* waitUntil("the group is killed", () => hasEnded(guarded))
    assert.isFalse(hasEnded(released))
  }).pipe(Effect.scoped))

it.live("a watchdog kills all groups, and removes their folders, though one of them has ended", () =>
  Effect.gen(function*() {
    const folder = mkdtempSync(join(tmpdir(), "watchdog-"))
    const [ended, guarded] = [yield* waiting, yield* waiting]
    ended.kill("SIGKILL")
    yield* waitUntil("one has ended", () => hasEnded(ended))
    yield* watch([guard(ended, folder), guard(guarded)])
    yield* waitUntil("the group is killed", () => hasEnded(guarded))
    assert.isFalse(existsSync(folder))
  }).pipe(Effect.scoped))

it.live.skipIf(process.platform !== "linux")(
  "a watchdog kills a child that was to start, and none that has started",
  () =>
    Effect.gen(function*() {
      const [starting, started, other] = [
        yield* waitingWith({ CHILD: "1" }),
        yield* waitingWith({ CHILD: "2" }),
        yield* waitingWith({ CHILD: "10" })
      ]
      starting.kill("SIGSTOP")
      yield* watch([
        { environment: "CHILD=1", isStarting: true },
        { environment: "CHILD=2", isStarting: true },
        { environment: "CHILD=2", isStarting: false }
      ])
      yield* waitUntil("it is killed", () => hasEnded(starting))
      assert.isFalse(hasEnded(started) || hasEnded(other))
    }).pipe(Effect.scoped)
)

it.live("a watchdog reads all lines, however they are cut into pieces", () =>
  Effect.gen(function*() {
    const guarded = yield* waiting
    // A pipe takes 64 KiB at a time, and so does Node.
    const others = Array.from({ length: 20_000 }, (_, i): Line => ({ group: 10_000_000 + i }))
    yield* watch([...others, guard(guarded)])
    yield* waitUntil("the group is killed", () => hasEnded(guarded))
  }).pipe(Effect.scoped))

it.live("a watchdog that is told to end waits for its owner's end all the same", () =>
  Effect.gen(function*() {
    const folder = mkdtempSync(join(tmpdir(), "watchdog-"))
    const [first, last] = [yield* waiting, yield* waiting]
    const late: Line = { group: last.pid!, guard: { graceMs: 2_000 } }
    yield* watch([guard(first, folder), late], (watchdog) =>
      Effect.andThen(
        waitUntil("it runs", () => !existsSync(folder)),
        Effect.sync(() => (["SIGINT", "SIGTERM", "SIGHUP"] as const).forEach((signal) => watchdog.kill(signal)))
      ))
    yield* waitUntil("the last group is killed", () => hasEnded(last))
  }).pipe(Effect.scoped))
