/**
 * A SQLite database on a thread of its own: a commit waits for the disk, and would hold up the event loop.
 *
 * The thread runs transactions, one at a time, and knows nothing of what is stored. One process at a time has the
 * database: it holds a lock of the system on a file beside it, which ends with the process, however that ends.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads"

/** What is stored. */
export type Argument = string | number | null | Uint8Array

/** A statement with its arguments. The type of its rows is what its author knows of the database. */
export interface Statement<out Row = unknown> {
  readonly sql: string
  readonly args: ReadonlyArray<Argument>
  readonly row?: Row
}

/** Makes a statement. */
export const statement = <Row = unknown>(sql: string, ...args: ReadonlyArray<Argument>): Statement<Row> => ({
  sql,
  args
})

/** The rows of each statement. */
export type Results<Statements extends ReadonlyArray<Statement>> = {
  readonly [I in keyof Statements]: Statements[I] extends Statement<infer Row> ? ReadonlyArray<Row> : never
}

/** Why a transaction was not made. */
export class SqliteFailure {
  /** The primary result code of SQLite, or 0. */
  readonly code: number
  readonly message: string

  constructor(code: number, message: string) {
    this.code = code
    this.message = message
  }
}

/** Result codes of SQLite. */
export const resultCode = { busy: 5, corrupt: 11, cannotOpen: 14, notADatabase: 26 } as const

/** An open database. */
export interface SqliteThread {
  /**
   * Runs statements in one transaction, all or none, and returns the rows of each. A result is cut after the row with
   * which its blobs have `resultBytes`.
   */
  readonly transaction: <const Statements extends ReadonlyArray<Statement>>(
    statements: Statements
  ) => Effect.Effect<Results<Statements>, SqliteFailure>
  /** Runs statements outside of a transaction: those for the connection. */
  readonly execute: (sql: string) => Effect.Effect<void, SqliteFailure>
}

/** A database that was opened here. */
export interface SqliteDatabase extends SqliteThread {
  /** A port to its thread, for the life of the scope: another thread makes transactions over it (`over`). */
  readonly port: Effect.Effect<MessagePort, never, Scope.Scope>
}

/** How a database is opened. */
export interface OpenOptions {
  readonly path: string
  /** Only reads, also while another process has the database. */
  readonly isReader?: boolean
}

/** Bytes of blobs in one result. A result has a row more at most. */
const resultBytes = 1024 * 1024

/** The program of the thread, which loads no file: a bundle has none. Its first message says whether it has opened. */
const program = `
const { parentPort, workerData: { isReader = false, path } } = require("node:worker_threads")
const statements = new Map()
let database
let lock
const open = () => {
  const { DatabaseSync } = require("node:sqlite")
  if (!isReader) lock = new DatabaseSync(path + "-lock")
  lock?.exec("begin immediate")
  database = new DatabaseSync(path, { readOnly: isReader })
  return []
}
const rowsOf = ({ args, sql }) => {
  if (!statements.has(sql)) statements.set(sql, database.prepare(sql))
  const rows = []
  let bytes = 0
  for (const row of statements.get(sql).iterate(...args)) {
    rows.push(row)
    for (const name in row) bytes += row[name]?.byteLength ?? 0
    if (bytes >= ${resultBytes}) break
  }
  return rows
}
const perform = (transaction) => {
  database.exec(isReader ? "begin" : "begin immediate")
  const results = transaction.map(rowsOf)
  database.exec("commit")
  return results
}
const attempt = (port, action, ...args) => new Promise((resolve) => resolve(action(...args))).then(
  (results) => port.postMessage({ results }),
  (error) => {
    if (database?.isTransaction) database.exec("rollback")
    port.postMessage({ code: (error.errcode ?? 0) & 0xff, message: error.message })
  }
)
attempt(parentPort, open)
const execute = (sql) => {
  database.exec(sql)
  return []
}
const serve = (port) => port.on("message", (message) => {
  if (Array.isArray(message)) return void attempt(port, perform, message)
  if (typeof message === "string") return void attempt(port, execute, message)
  if (message !== null) return void serve(message).unref()
  database?.close()
  lock?.close()
  parentPort.close()
})
serve(parentPort)
`

/** What the thread says, in the order of its messages. */
interface Answer {
  readonly results?: ReadonlyArray<ReadonlyArray<unknown>>
  readonly code: number
  readonly message: string
}

/** A database of another thread, over a port of `SqliteDatabase`, for the life of the scope. */
export const over = (port: MessagePort): Effect.Effect<SqliteThread, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(Effect.sync(() => talk(port, "close")), () => Effect.sync(() => port.close())),
    ({ ask }) => threadOf(ask)
  )

/** Opens or makes a database for the life of the scope. Fails with `resultCode.busy` while another process has it. */
export const open = (options: OpenOptions): Effect.Effect<SqliteDatabase, SqliteFailure, Scope.Scope> =>
  Effect.gen(function*() {
    const worker = new Worker(program, { eval: true, workerData: options, execArgv: [] })
    const { answer, ask, end, hasEnded } = talk(worker, "exit")
    worker.on("error", (error) => end(`its thread has failed: ${error}`))
    yield* Effect.addFinalizer(() =>
      Effect.callback<void>((resume) => {
        if (hasEnded()) return resume(Effect.void)
        worker.ref()
        worker.once("exit", () => resume(Effect.void))
        worker.postMessage(null, [])
      })
    )
    yield* answer
    const port = Effect.acquireRelease(
      Effect.sync(() => {
        const { port1, port2 } = new MessageChannel()
        worker.postMessage(port1, [port1])
        return port2
      }),
      (port) => Effect.sync(() => port.close())
    )
    return { ...threadOf(ask), port }
  })

// internals

type Rows = ReadonlyArray<ReadonlyArray<unknown>>

/** Says something to a thread, and has its answers in the order of what was said. */
const talk = (port: Worker | MessagePort, ending: "exit" | "close") => {
  const waiting: Array<(exit: Exit.Exit<Rows, SqliteFailure>) => void> = []
  let ended: SqliteFailure | undefined
  const end = (issue: string) => {
    ended ??= new SqliteFailure(0, issue)
    for (const settle of waiting.splice(0)) settle(Exit.fail(ended))
  }
  port.on("message", ({ code, message, results }: Answer) => {
    const settle = waiting.shift()
    // Before the next one is asked: that holds the program up again.
    if (waiting.length === 0) port.unref()
    settle?.(results === undefined ? Exit.fail(new SqliteFailure(code, message)) : Exit.succeed(results))
  })
  port.on(ending, () => end("its thread has ended"))
  const answer = Effect.callback<Rows, SqliteFailure>((resume) => {
    if (ended !== undefined) return resume(Exit.fail(ended))
    // A program that waits for the thread does not end meanwhile.
    port.ref()
    waiting.push(resume)
  })
  const ask = (message: string | ReadonlyArray<Statement>) =>
    Effect.suspend(() => {
      port.postMessage(message, [])
      return answer
    })
  return { answer, ask, end, hasEnded: () => ended !== undefined }
}

/** Bytes in a buffer of their own, because a message has the whole buffer of a view. */
const apart = (argument: Argument): Argument =>
  argument instanceof Uint8Array && argument.byteLength < argument.buffer.byteLength
    ? new Uint8Array(argument)
    : argument

const threadOf = (ask: ReturnType<typeof talk>["ask"]): SqliteThread => ({
  execute: (sql) => Effect.asVoid(ask(sql)),
  transaction: <const Statements extends ReadonlyArray<Statement>>(statements: Statements) =>
    // The rows of these statements, in their order.
    ask(statements.map(({ args, sql }) => ({ sql, args: args.map(apart) }))) as Effect.Effect<
      Results<Statements>,
      SqliteFailure
    >
})
