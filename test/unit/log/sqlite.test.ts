/** The log in a file: what it keeps when it is opened again, and what it says of files that it cannot use. */
import { Log } from "@effect-multiprocessing/core"
import { checkLog } from "@effect-multiprocessing/core/testing"
import { NodeLog } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Result, Stream } from "effect"
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { budget } from "../../support/budget.ts"

type Service = Log.Log["Service"]

const leader = { host: "host.test", port: 1 }
const realm = "realm"

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(join(tmpdir(), "log-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

const path = Effect.map(folder, (folder) => join(folder, "log"))

/** Opens a log for the life of the scope. */
const open = (options: NodeLog.SqliteOptions) =>
  Effect.map(Layer.build(NodeLog.layerSqlite(options)), (context) => Context.get(context, Log.Log))

/** Uses a log, and closes it. */
const use = <A, E>(options: NodeLog.SqliteOptions, run: (log: Service) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(open(options), run))

const bytesOf = (text: string) => new TextEncoder().encode(text)

const read = (log: Service, after = 0) =>
  Effect.map(
    Stream.runCollect(log.read(realm, after)),
    (entries) => entries.map(({ bytes }) => new TextDecoder().decode(bytes))
  )

const claim = (log: Service) =>
  Effect.map(Effect.flatMap(log.head(realm), (head) => log.claim(realm, head, leader)), Option.getOrThrow)

/** Appends entries that are numbers. */
const write = Effect.fnUntraced(function*(log: Service, count: number) {
  const { append, position } = yield* claim(log)
  for (let i = position; i < position + count; i++) yield* append(i, bytesOf(String(i + 1)))
}, Effect.scoped)

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => String(from + i))

/** Why a log was not opened. */
const refused = (options: NodeLog.SqliteOptions) =>
  Effect.map(Effect.flip(use(options, () => Effect.void)), ({ message, why }) => ({ message, why }))

describe("a log in a file", () => {
  for (const survives of ["machine", "process"] as const) {
    it.live(`conforms, when it survives its ${survives}`, () =>
      Effect.gen(function*() {
        const log = yield* open({ path: yield* path, survives })
        assert.strictEqual(log.survives, survives)
        for (let seed = 1; seed <= budget(2); seed++) {
          const found = yield* Effect.provideService(checkLog({ seed, realm: `check-${seed}` }), Log.Log, log)
          assert.deepStrictEqual(found, [], `seed ${seed}`)
        }
      }))
  }

  it.live("has its entries, its snapshot and its epochs when it is opened again", () =>
    Effect.gen(function*() {
      const file = { path: yield* path }
      const first = yield* use(file, (log) =>
        Effect.gen(function*() {
          yield* write(log, 300)
          const { epoch } = Option.getOrThrow(yield* log.head(realm))
          const bytes = Stream.make(bytesOf("the "), bytesOf("state"))
          yield* log.putSnapshot(realm, { position: 200, epoch, engineVersion: 7, bytes })
          return epoch
        }))
      yield* use(file, (log) =>
        Effect.gen(function*() {
          const snapshot = Option.getOrThrow(yield* log.snapshot(realm))
          assert.strictEqual(yield* Stream.mkString(Stream.decodeText(snapshot.bytes)), "the state")
          assert.deepStrictEqual([snapshot.position, snapshot.epoch, snapshot.engineVersion], [200, first, 7])
          assert.deepStrictEqual(yield* read(log, 200), numbers(201, 300))
          yield* write(log, 10)
          assert.isAbove(Option.getOrThrow(yield* log.head(realm)).epoch, first)
          assert.deepStrictEqual(yield* read(log, 200), numbers(201, 310))
        }))
    }))

  it.live("does not hold up the event loop while it commits", () =>
    Effect.gen(function*() {
      const log = yield* open({ path: yield* path })
      const { append } = yield* claim(log)
      let turns = 0
      const count = () => {
        turns++
        timer = setImmediate(count)
      }
      let timer = setImmediate(count)
      for (let i = 0; i < 20; i++) yield* append(i, bytesOf("entry"))
      clearImmediate(timer)
      // A commit on this thread would end in the turn in which it began.
      assert.isAtLeast(turns, 20)
    }))

  it.live("is waited for by a program that has nothing else to do, until it is closed, and no longer", () =>
    Effect.gen(function*() {
      const program = `
        import { NodeLog } from "@effect-multiprocessing/node"
        import { Effect } from "effect"
        const open = NodeLog.makeSqlite({ path: ${JSON.stringify(yield* path)} })
        await Effect.runPromise(Effect.scoped(Effect.flatMap(open, ({ head }) => head("realm"))))
        await Effect.runPromise(Effect.scoped(open))
        process.stdout.write("closed")
      `
      const args = [...process.execArgv, "--input-type=module", "--eval", program]
      assert.strictEqual(execFileSync(process.execPath, args, { encoding: "utf8" }), "closed")
    }))
})

describe("a log whose process has died", () => {
  it.live("has a prefix of its entries, however much of the last ones has reached the disk", () =>
    Effect.gen(function*() {
      const original = yield* path
      const copies = yield* folder
      const log = yield* open({ path: original })
      yield* write(log, 60)
      // As the files stand now they would stand after a kill.
      const wal = Fs.readFileSync(`${original}-wal`)
      for (let i = 0; i <= budget(15); i++) {
        const length = Math.floor(wal.length * (1 - i / budget(15)))
        const copy = join(copies, `log-${i}`)
        Fs.copyFileSync(original, copy)
        Fs.writeFileSync(`${copy}-wal`, wal.subarray(0, length))
        yield* use({ path: copy }, (log) =>
          Effect.gen(function*() {
            const found = yield* read(log)
            assert.deepStrictEqual(found, numbers(1, found.length))
            if (length === wal.length) assert.strictEqual(found.length, 60)
            assert.strictEqual(
              Option.match(yield* log.head(realm), { onNone: () => 0, onSome: (head) => head.position }),
              found.length
            )
            yield* write(log, 1)
            assert.strictEqual((yield* read(log)).length, found.length + 1)
          }))
      }
    }))
})

describe("a log is not opened", () => {
  it.live("while another one has its file: the error names the process", () =>
    Effect.gen(function*() {
      const file = { path: yield* path }
      const log = yield* open(file)
      yield* write(log, 1)
      const { message, why } = yield* refused(file)
      assert.strictEqual(why, "InUse")
      assert.include(message, `process ${process.pid} of `)
      yield* write(log, 1)
      assert.deepStrictEqual(yield* read(log), numbers(1, 2))
    }))

  it.live("if a newer release has written the file, and the file is not changed", () =>
    Effect.gen(function*() {
      const file = { path: yield* path }
      yield* use(file, (log) => write(log, 1))
      const database = new DatabaseSync(file.path)
      database.exec("pragma user_version = 1000")
      database.close()
      const before = Fs.readFileSync(file.path)
      const { message, why } = yield* refused(file)
      assert.strictEqual(why, "NewerFormat")
      assert.include(message, "it has format 1000, and this release knows format ")
      assert.isTrue(before.equals(Fs.readFileSync(file.path)))
    }))

  it.live("if the file is something else, and the file is not changed", () =>
    Effect.gen(function*() {
      const inside = yield* folder
      const text = join(inside, "text")
      Fs.writeFileSync(text, "a text\n".repeat(1_000))
      const other = join(inside, "other")
      const database = new DatabaseSync(other)
      database.exec("create table t (x)")
      database.close()
      for (const path of [text, other]) {
        const before = Fs.readFileSync(path)
        assert.strictEqual((yield* refused({ path })).why, "NotALog")
        assert.isTrue(before.equals(Fs.readFileSync(path)))
      }
    }))

  it.live("in a folder that is not there, or that cannot be written", () =>
    Effect.gen(function*() {
      const inside = yield* folder
      const missing = yield* refused({ path: join(inside, "none", "log") })
      assert.strictEqual(missing.why, "Unwritable")
      assert.include(missing.message, `Check that the folder ${join(inside, "none")} exists`)
      const empty = yield* refused({ path: "" })
      assert.include(empty.message, "its path is empty")
      Fs.chmodSync(inside, 0o555)
      const user = process.geteuid!()
      // Root may write everywhere.
      if (user === 0) process.seteuid!(65_534)
      const { why } = yield* Effect.ensuring(
        refused({ path: join(inside, "log") }),
        Effect.sync(() => process.seteuid!(user))
      )
      assert.strictEqual(why, "Unwritable")
    }))
})

describe("a log that cannot go on", () => {
  it.live("because its disk is full fails as LogUnavailable, and goes on when there is room", () =>
    Effect.gen(function*() {
      const file = { path: yield* path }
      const written = yield* use({ ...file, bytesMax: 300_000 }, (log) =>
        Effect.gen(function*() {
          const { append } = yield* claim(log)
          for (let i = 0;; i++) {
            const appended = yield* Effect.result(append(i, new Uint8Array(10_000)))
            if (Result.isSuccess(appended)) continue
            assert.strictEqual(appended.failure._tag, "LogUnavailable")
            assert.include(appended.failure.message, "full")
            // Nothing of it was written, and what was acknowledged can be read.
            assert.strictEqual((yield* read(log)).length, i)
            return i
          }
        }).pipe(Effect.scoped))
      yield* use(file, (log) => write(log, 1))
      yield* use(file, (log) => Effect.map(read(log), ({ length }) => assert.strictEqual(length, written + 1)))
    }))

  it.live("because an entry is gone, or a block of it is damaged, fails as LogDamaged", () =>
    Effect.gen(function*() {
      const file = { path: yield* path, survives: "process" } as const
      yield* use(file, (log) => write(log, 1_000))
      const whole = Fs.readFileSync(file.path)
      const database = new DatabaseSync(file.path)
      database.exec("delete from entry where position = 700")
      database.close()
      const missing = yield* use(file, (log) => Effect.flip(read(log)))
      assert.strictEqual(missing._tag, "LogDamaged")
      assert.include(missing.message, "entry 700 of 1000 is missing")
      // All of the file but its first blocks, where its tables are described.
      Fs.writeFileSync(file.path, whole.fill(0xff, 8 * 4_096))
      const damaged = yield* use(file, (log) => Effect.flip(read(log)))
      assert.strictEqual(damaged._tag, "LogDamaged")
    }))
})
