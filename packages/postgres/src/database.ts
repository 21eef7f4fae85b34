/**
 * Connections to PostgreSQL: some for what reads, some for what writes.
 *
 * No statement is cancelled: a cancel may arrive late, and a commit whose wait for a standby is cancelled is visible, and may
 * get lost. A statement that is interrupted, or not answered in time, is given up together with its connection: the network
 * may drop all that this connection carries, and tell nobody. So is one that the server refuses, because the next connection
 * may lead to another server.
 */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { ConnectionError, SqlError } from "effect/sql/SqlError"

/** An argument of a statement. */
export type Argument = string | number | null | Uint8Array

/** A database, of which one connection may be lost at any time. */
export interface Database {
  /** Runs one statement that may be interrupted. The type of its rows is what its author knows of the tables. */
  readonly read: Run
  /** Runs one statement that is not interrupted. Its connections serve nothing else: no read keeps it waiting. */
  readonly write: Run
  /** Runs statements on one connection in one transaction. */
  readonly transaction: <A, E>(body: (run: Run) => Effect.Effect<A, E>) => Effect.Effect<A, E | SqlError>
}

/** Runs one statement and returns its rows. */
export type Run = <Row>(
  sql: string,
  ...args: ReadonlyArray<Argument>
) => Effect.Effect<ReadonlyArray<Row>, SqlError>

/** How a database is reached. */
export interface DatabaseOptions {
  readonly url: Redacted.Redacted
  readonly connectionsMax: number
  readonly answerTimeout: Duration.Input
  /** The most bytes of an argument or of a row. */
  readonly bytesMax: number
}

/** Opens a database for the life of the scope. Connections are made when they are needed. */
export const open = (
  { answerTimeout, bytesMax, connectionsMax, url }: DatabaseOptions
): Effect.Effect<Database, SqlError, Scope.Scope> =>
  Effect.gen(function*() {
    // A standby refuses connections with this setting. It may show an older state than it has: entries would seem to be lost.
    const startupParameters = { transaction_read_only: "off" }
    const options = {
      url,
      startupParameters,
      maxConnections: connectionsMax,
      applicationName: "effect-multiprocessing",
      keepAlive: "10 seconds",
      maxMessageSize: bytesMax
    } as const
    const reader = yield* PgPool.make(options)
    const writer = yield* PgPool.make({
      ...options,
      // A write may wait behind one that was given up and still waits for its standby. It must not do so for ever, because a
      // leader repeats it. This ends no wait for a commit.
      startupParameters: {
        ...startupParameters,
        statement_timeout: "0",
        lock_timeout: `${Duration.toMillis(answerTimeout) / 2}`
      }
    })

    /** Runs a statement apart, and closes its connection unless it succeeds in time. */
    const runOn = (pool: PgPool.PgPool) => (sql: string, args: ReadonlyArray<Argument>) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.scoped(Effect.gen(function*() {
          const connection = yield* restore(pool.get)
          const answer = Deferred.makeUnsafe<PgConnection.Result, SqlError>()
          yield* Effect.forkDetach(Deferred.into(connection.query(sql, args), answer))
          const timer = yield* Effect.forkDetach(
            Effect.andThen(Effect.sleep(answerTimeout), Deferred.fail(answer, notAnswered))
          )
          return yield* restore(Deferred.await(answer)).pipe(
            Effect.onError(() => pool.invalidate(connection)),
            Effect.ensuring(Fiber.interrupt(timer))
          )
        }))
      )

    const write = runOn(writer)
    return {
      read: typed(runOn(reader)),
      write: typed((sql, args) => Effect.uninterruptible(write(sql, args))),
      transaction: (body) =>
        Effect.scoped(Effect.flatMap(reader.reserve, (connection) => {
          const run = typed((sql, args) => connection.query(sql, args, false))
          return run("begin").pipe(
            Effect.andThen(body(run)),
            Effect.tap(run("commit")),
            Effect.onError(() => Effect.ignore(run("rollback")))
          )
        }))
    }
  })

// internals

const notAnswered = new SqlError({
  reason: new ConnectionError({ cause: undefined, message: "the server has not answered in time", operation: "query" })
})

/** The rows of a statement, of the type that its author knows. */
const typed =
  (run: (sql: string, args: ReadonlyArray<Argument>) => Effect.Effect<PgConnection.Result, SqlError>): Run =>
  <Row>(sql: string, ...args: ReadonlyArray<Argument>) =>
    Effect.map(run(sql, args), ({ rows }) => rows as ReadonlyArray<unknown> as ReadonlyArray<Row>)

/** What the server or the connection says of an error. */
export const issueOf = ({ message, reason }: SqlError): string =>
  reason.cause instanceof Error ? reason.cause.message : message

/** The SQLSTATE of an error of the server, or nothing. */
export const codeOf = ({ reason: { cause } }: SqlError): string =>
  cause instanceof Error && "code" in cause ? String(cause.code) : ""
