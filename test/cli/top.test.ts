/** `emp top`: what it shows of a manager at work, as lines and as JSON, and its frames on a terminal. */
import { type Manager, SharedRef } from "@effect-multiprocessing/core"
import { Schema } from "effect"
import { execFileSync, spawnSync } from "node:child_process"
import { setTimeout } from "node:timers/promises"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { duration } from "../../packages/cli/src/output.ts"
import { frame, lines, viewOf } from "../../packages/cli/src/topView.ts"
import { contendedLock, program, serve, type Served, until } from "./emp.ts"

let served: Served

beforeAll(async () => {
  served = await serve()
  await served.run(SharedRef.make({ name: "idle", schema: Schema.Int, initial: 7 }))
  await served.run(contendedLock("deploy"))
})

afterAll(async () => {
  await served.end()
})

describe("emp top --once", () => {
  it("shows sessions, the busiest objects and the longest waits", async () => {
    const { code, error, out } = await served.emp("top", "--once")
    assert.deepStrictEqual([code, error], [0, ""])
    // The manager's own process is the first session, this command the last.
    const [counts, , , ...rest] = out.split("\n")
    assert.strictEqual(counts, "sessions 3  objects 2  waiting 1  held 1")
    assert.match(rest.join("\n"), new RegExp(`^ +\\d+ +worker +${process.pid} +owner +1 +1$`, "m"))
    assert.match(rest.join("\n"), /^deploy +Lock +1 +1 +0\nidle +Ref +0 +0 +0$/m)
    assert.match(rest.join("\n"), new RegExp(`^deploy +acquire +worker +${process.pid} +\\d+s$`, "m"))
  })

  it("shows them as JSON", async () => {
    const view = JSON.parse((await served.emp("top", "--once", "--json")).out)
    assert.deepStrictEqual(Object.keys(view), ["index", "changesPerSecond", "counts", "sessions", "objects", "waits"])
    assert.deepStrictEqual([view.objects[0].name, view.waits[0].object], ["deploy", "deploy"])
  })
})

describe("emp top", () => {
  it("goes on with rates until a signal ends it, with 0", async () => {
    const running = served.starts("top", "--interval", "0.1")
    await until(running, () => /changes \d+\/s/.test(running.out()))
    running.process.kill("SIGTERM")
    assert.strictEqual((await running.ended).code, 0)
    assert.notInclude(running.out(), "\u001b")
  })

  it("refuses an interval without a pause", async () => {
    const { code, error } = await served.emp("top", "--interval", "0")
    assert.strictEqual(code, 2)
    assert.match(error, /^emp: .*at least 0\.1.*\n$/)
  })
})

const hasTmux = spawnSync("tmux", ["-V"]).status === 0

describe.runIf(hasTmux)("emp top on a terminal", () => {
  const tmux = (...args: ReadonlyArray<string>): string =>
    execFileSync("tmux", ["-L", `emp-${process.pid}`, "-f", "/dev/null", ...args], { encoding: "utf8" })
  const screenHas = async (text: string): Promise<string> => {
    for (;;) {
      const screen = tmux("capture-pane", "-p")
      if (screen.includes(text)) return screen
      await setTimeout(50)
    }
  }

  afterAll(() => tmux("kill-server"))

  it("is live, and leaves the screen as it was at Ctrl-C", async () => {
    const top = [program, "top", "--socket", served.socket, "--key-file", served.keyFile, "--interval", "0.1"]
    const shell = "trap : INT; \"$@\"; echo ended with $?; exec sleep 600"
    tmux(
      "new-session",
      "-d",
      "-x",
      "80",
      "-y",
      "24",
      "sh",
      "-c",
      shell,
      "sh",
      process.execPath,
      ...process.execArgv,
      ...top
    )
    const screen = await screenHas("changes")
    assert.match(screen, /^sessions 3 +objects 2 +waiting 1 +held 1 +changes \d+\/s$/m)
    assert.match(screen, /^deploy +Lock +1 +1 +0$/m)
    tmux("send-keys", "C-c")
    assert.notInclude(await screenHas("ended with 0"), "SESSION")
  })
})

describe("a view", () => {
  const inspection = (index: number, arrivals: ReadonlyArray<number>): Manager.Inspection => ({
    epoch: 1,
    index,
    counts: { sessions: 0, objects: 1, waiters: arrivals.length, holders: 0 },
    sessions: [],
    objects: [{
      id: 1,
      kind: "Lock",
      name: "a\u001b[2J",
      references: 1,
      watchers: 0,
      waiting: arrivals.length,
      held: 0,
      holders: [],
      waiters: arrivals.map((arrival) => ({
        session: 1,
        name: "p",
        pid: 2,
        operation: "acquire",
        arrival,
        waitedMs: 0
      }))
    }]
  })

  it("has the rate since the sample before, and the first waits first", () => {
    const last = { at: 3_000, inspection: inspection(150, [6, 5]) }
    const view = viewOf(last, { at: 5_000, inspection: inspection(250, [6, 5]) }, 9)
    assert.strictEqual(view.changesPerSecond, 50)
    assert.deepStrictEqual(view.waits.map(({ arrival }) => arrival), [5, 6])
  })

  it("has no more rows than are asked for, and nothing that a terminal would obey", () => {
    const view = viewOf(undefined, { at: 0, inspection: inspection(1, [1, 2, 3]) }, 2)
    assert.strictEqual(view.waits.length, 2)
    assert.notInclude(lines(view).join(), "\u001b")
  })

  it("shows the sessions without a connection, and when they end", () => {
    const of = (id: number, endsInMs: number | null): Manager.SessionInfo => ({
      id,
      name: "p",
      pid: 7,
      role: "client",
      endsInMs,
      waiting: 0,
      holding: 1
    })
    const sessions = [of(1, null), of(2, 9_500)]
    const view = viewOf(undefined, { at: 0, inspection: { ...inspection(1, []), sessions } }, 9)
    assert.deepStrictEqual(lines(view).slice(2, 5), [
      "SESSION  PROCESS  PID  ROLE    WAITING  HOLDING  ENDS IN",
      "      1  p          7  client        0        1",
      "      2  p          7  client        0        1  9s"
    ])
  })

  it("has times by their two largest units", () => {
    const times = { "0s": 999, "59s": 59_999, "1m 0s": 60_000, "2h 5m": 7_500_000, "3d 0h": 3 * 86_400_000 + 59_000 }
    for (const [text, milliseconds] of Object.entries(times)) assert.strictEqual(duration(milliseconds), text)
  })

  it("is cut to the terminal", () => {
    assert.strictEqual(frame(["abcd", "e", "f"], 3, 2), "\u001b[Habc\u001b[K\r\ne\u001b[K\u001b[J")
  })
})
