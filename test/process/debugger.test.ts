/** Workers under a real debugger, over its protocol. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { descendants, fixture, type Program, start, startWith, waitUntil } from "./harness.ts"

/** The address at which a process of the program listens for a debugger. */
const urlOf = (program: Program, tag: string) =>
  Effect.gen(function*() {
    const line = new RegExp(`^${tag}Debugger listening on (ws:\\S+)$`, "m")
    yield* waitUntil(`${tag} listens`, () => line.test(program.output()))
    return line.exec(program.output())![1]!
  })

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly callFrames?: ReadonlyArray<{ readonly callFrameId: string }> }
  readonly result?: { readonly result?: { readonly value?: unknown } }
}

/** Attaches to a process. */
const attach = (url: string) =>
  Effect.gen(function*() {
    const messages: Array<Message> = []
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => new WebSocket(url)),
      (socket) => Effect.sync(() => socket.close())
    )
    socket.addEventListener("message", ({ data }) => messages.push(JSON.parse(String(data))))
    yield* waitUntil("the debugger is attached", () => socket.readyState === WebSocket.OPEN)
    const received = (what: string, is: (message: Message) => boolean) =>
      Effect.map(waitUntil(what, () => messages.some(is)), () => messages.find(is)!)
    let calls = 0
    return {
      call: (method: string, params: object = {}) =>
        Effect.suspend(() => {
          const id = ++calls
          socket.send(JSON.stringify({ id, method, params }))
          return Effect.map(received(method, (message) => message.id === id), ({ result }) => result?.result?.value)
        }),
      event: (method: string) => received(method, (message) => message.method === method)
    }
  })

describe("a worker", () => {
  it.live("waits for a debugger when it is told to, and stops at a breakpoint", () =>
    Effect.gen(function*() {
      const program = yield* start(fixture("debugged"), "--wait")
      const { call, event } = yield* attach(yield* urlOf(program, "\\[Square-1\\] "))
      assert.notInclude(program.output(), "is 49")
      yield* call("Debugger.enable")
      yield* call("Runtime.runIfWaitingForDebugger")
      const { params } = yield* event("Debugger.paused")
      const { callFrameId } = params!.callFrames![0]!
      assert.strictEqual(yield* call("Debugger.evaluateOnCallFrame", { callFrameId, expression: "square" }), 49)
      yield* call("Debugger.resume")
      yield* waitUntil("the worker goes on", () => program.output().includes("is 49"))
    }).pipe(Effect.scoped))

  it.live("of a program that is debugged listens too, on a port of its own; its manager does not", () =>
    Effect.gen(function*() {
      const program = yield* startWith({ execArgv: ["--inspect=0"] }, fixture("debugged"))
      const urls = [yield* urlOf(program, ""), yield* urlOf(program, "\\[Square-1\\] ")]
      assert.strictEqual(new Set(urls.map((url) => new URL(url).port)).size, 2)
      assert.strictEqual((yield* program.exit).code, 0)
      assert.notInclude(program.output(), "[manager]")
    }).pipe(Effect.scoped))

  it.live("of a program with NODE_OPTIONS=--inspect listens on a port of its own, and so does its manager", () =>
    Effect.gen(function*() {
      const program = yield* startWith({ env: { NODE_OPTIONS: "--inspect=127.0.0.1:0" } }, fixture("debugged"))
      const urls = yield* Effect.all(["", "\\[manager\\] ", "\\[Square-1\\] "].map((tag) => urlOf(program, tag)))
      assert.strictEqual(new Set(urls.map((url) => new URL(url).port)).size, 3)
      assert.notInclude(program.output(), "address already in use")
    }).pipe(Effect.scoped))

  it.live("that runs can be debugged without preparation, by SIGUSR1", () =>
    Effect.gen(function*() {
      const program = yield* start(fixture("family"), "--patient")
      yield* waitUntil("the program is ready", () => program.output().includes("ready"))
      const worker = descendants(program.pid).find(({ command }) => command.includes("family.ts"))!
      process.kill(worker.pid, "SIGUSR1")
      const { call } = yield* attach(yield* urlOf(program, "\\[Wait-1\\] "))
      assert.strictEqual(yield* call("Runtime.evaluate", { expression: "process.pid" }), worker.pid)
    }).pipe(Effect.scoped))
})
