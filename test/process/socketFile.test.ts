/** The file of a socket, while other programs start, end and clean up at the same path. */
import * as SocketFile from "#node/socketFile.ts"
import { Manager, Process } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Redacted, Result, Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { basename, dirname, join, relative } from "node:path"
import { sample } from "../support/budget.ts"
import * as Tasks from "./fixtures/tasks.ts"
import { fixture, start, startWith, waitUntil } from "./harness.ts"

const key = Redacted.make("a key of this test, not to be guessed")

const server = (path: string) => Layer.fresh(NodeManager.layerServer({ path, key }))

/** A new folder, for the life of the scope. */
const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "emp-socket-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Whether a manager serves at a path. */
const isServed = (path: string) =>
  Effect.map(
    Effect.result(Effect.provide(Manager.Manager, Layer.fresh(NodeManager.layerClient({ path, key })))),
    Result.isSuccess
  )

/** Leaves a socket at a path whose owner was killed. */
const leaveStale = (path: string) =>
  Effect.promise(() => {
    const code = `require("net").createServer().listen(${
      JSON.stringify(path)
    }, () => process.kill(process.pid, "SIGKILL"))`
    return once(spawn(process.execPath, ["-e", code]), "exit")
  })

/** A frozen process that listens at a path, whose queue of connections is full, for the life of the scope. */
const occupied = (path: string) =>
  Effect.gen(function*() {
    const code = `require("net").createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 })`
    const owner = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(process.execPath, ["-e", code], { stdio: "ignore" })),
      (owner) => Effect.sync(() => owner.kill("SIGKILL"))
    )
    yield* waitUntil("it listens", () => SocketFile.look(path) !== undefined)
    owner.kill("SIGSTOP")
    let failure = ""
    const sockets: Array<Net.Socket> = []
    yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.destroy())))
    yield* waitUntil("its queue is full", () => {
      sockets.push(Net.connect(path).on("error", ({ message }) => failure = message))
      return failure.includes("EAGAIN")
    })
  })

describe("a socket's file", () => {
  it.live("of a process that listens and accepts nothing is not stale (R-7)", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "manager")
      yield* occupied(path)
      const before = SocketFile.look(path)!.ino
      const { message } = yield* Effect.flip(Effect.scoped(Layer.build(server(path))))
      assert.include(message, "EADDRINUSE")
      assert.strictEqual(SocketFile.look(path)!.ino, before)
    }).pipe(Effect.scoped))

  for (const [whose, pid] of [["lives", process.pid], ["has ended", 2 ** 30]] as const) {
    it.live(`that is stale is ${whose === "lives" ? "left to" : "taken from"} a process that has claimed it and ${whose}`, () =>
      Effect.gen(function*() {
        const path = join(yield* folder, "manager")
        yield* leaveStale(path)
        const { ino, mtimeNs } = SocketFile.look(path)!
        writeFileSync(`${path}.${ino}-${mtimeNs}-0.claim`, String(pid))
        const started = yield* Effect.result(Effect.scoped(Layer.build(server(path))))
        assert.strictEqual(Result.isSuccess(started), whose === "has ended")
        assert.strictEqual(SocketFile.look(path)?.ino, whose === "lives" ? ino : undefined)
      }).pipe(Effect.scoped))
  }

  it.live("is touched with its folder when it has not been for an hour: cleaners remove what is old", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "manager")
      yield* leaveStale(path)
      const at = () => [path, dirname(path)].map((file) => Number(SocketFile.look(file)!.mtimeMs))
      const [made] = at()
      assert.isTrue(SocketFile.touch(path, made! + 3_000_000))
      assert.strictEqual(at()[0], made)
      // Whole seconds, in which the time of a file is set.
      const later = Math.ceil(made! / 1_000) * 1_000 + 4_000_000
      assert.isTrue(SocketFile.touch(path, later))
      assert.deepStrictEqual(at(), [later, later])
      rmSync(path)
      assert.isFalse(SocketFile.touch(path, later))
    }).pipe(Effect.scoped))

  it.live("over which many start at once is one server's, and the ends of the others do not remove it (R-7)", () =>
    Effect.gen(function*() {
      for (let round = 0; round < 20; round++) {
        const path = join(yield* folder, "manager")
        yield* leaveStale(path)
        const scopes = yield* Effect.forEach(Array.from({ length: 8 }), () => Scope.make())
        const started = yield* Effect.forEach(
          scopes,
          (scope) => Effect.result(Layer.buildWithScope(server(path), scope)),
          { concurrency: "unbounded" }
        )
        const failures = started.flatMap((result) => Result.isFailure(result) ? [result.failure.message] : [])
        assert.strictEqual(failures.length, 7, failures.join("\n"))
        for (const failure of failures) assert.include(failure, "EADDRINUSE")
        const winner = scopes[started.findIndex(Result.isSuccess)]!
        for (const scope of scopes) if (scope !== winner) yield* Scope.close(scope, Exit.void)
        assert.isTrue(yield* isServed(path))
        yield* Scope.close(winner, Exit.void)
        assert.deepStrictEqual(readdirSync(dirname(path)), [])
      }
    }).pipe(Effect.scoped))

  it.live("is one process's in a node:cluster", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "manager")
      const program = yield* start(fixture("cluster"), path)
      yield* program.exit
      assert.strictEqual(program.output().match(/^serves$/gm)?.length, 1, program.output())
      assert.strictEqual(program.output().match(/EADDRINUSE/g)?.length, 2, program.output())
    }).pipe(Effect.scoped))

  it.live("is not removed by a server whose own file has gone", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "manager")
      const earlier = yield* Scope.make()
      yield* Layer.buildWithScope(server(path), earlier)
      rmSync(path)
      yield* Layer.build(server(path))
      yield* Scope.close(earlier, Exit.void)
      assert.isTrue(yield* isServed(path))
    }).pipe(Effect.scoped))

  it.live("is never put in the place of a file, a folder or a link", () =>
    Effect.gen(function*() {
      const parent = yield* folder
      const [file, directory, target, link] = ["file", "folder", "socket", "link"].map((name) => join(parent, name))
      writeFileSync(file!, "precious")
      mkdirSync(directory!)
      yield* leaveStale(target!)
      symlinkSync(target!, link!)
      for (const path of [file!, directory!, link!]) {
        const { message } = yield* Effect.flip(Effect.provide(Effect.void, server(path)))
        assert.match(message, /^cannot start a manager at .*: a file that is no socket is there/)
      }
      assert.strictEqual(readFileSync(file!, "utf8"), "precious")
      assert.isTrue(lstatSync(directory!).isDirectory())
      assert.isTrue(lstatSync(link!).isSymbolicLink())
      assert.deepStrictEqual(readdirSync(parent).sort(), ["file", "folder", "link", "socket"])
    }).pipe(Effect.scoped))

  const platform = Layer.provideMerge(NodeManager.layerSpawner(fixture("worker")), NodeServices.layer)

  for (const [where, manager] of [["in a process", NodeManager.layer], ["here", NodeManager.layerServer()]] as const) {
    it.live(`is made again when a cleaner has removed its folder: a manager ${where}`, () =>
      Effect.gen(function*() {
        const { endpoint } = yield* Manager.Manager
        for (let round = 0; round < 2; round++) {
          rmSync(dirname(endpoint!.path!), { recursive: true })
          assert.strictEqual(yield* Process.run(Tasks.Tasks, Tasks.Square, { n: 7 }), 49)
        }
        assert.strictEqual(lstatSync(dirname(endpoint!.path!)).mode & 0o777, 0o700)
      }).pipe(Effect.provide(Layer.provideMerge(Tasks.Log.layer, Layer.merge(Layer.fresh(manager), platform)))))
  }
})

describe("the folder of a socket", () => {
  it.live("is in the folder of the user's session, if there is one, and may be named relatively", () =>
    Effect.gen(function*() {
      const parent = yield* folder
      const near = relative(process.cwd(), parent)
      // Few enough characters for a socket's path, and too many bytes.
      const long = join(parent, "é".repeat(34))
      mkdirSync(long)
      const environments = [{ XDG_RUNTIME_DIR: near }, { TMPDIR: near }, { TMPDIR: long }, { XDG_RUNTIME_DIR: parent }]
      for (const env of sample(environments)) {
        const program = yield* startWith({ env }, fixture("moved"))
        assert.strictEqual((yield* program.exit).code, 0, program.output())
      }
      assert.deepStrictEqual(readdirSync(parent), [basename(long)])
    }).pipe(Effect.scoped))
})
