/** The errors of a call to a pool, besides the task's own. */
import * as Schema from "effect/Schema"

/** The process that ran the task ended before the task did: it was killed, crashed or exited. */
export class WorkerCrashed extends Schema.TaggedError<WorkerCrashed>()("WorkerCrashed", {
  task: Schema.String,
  /** The worker's name. */
  worker: Schema.String,
  pid: Schema.Int,
  code: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  /** Which run of the task it was, from 1. */
  attempt: Schema.Int,
  /** The last lines that the worker wrote to its standard error. */
  lastLines: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const how = this.signal === null ? `with code ${this.code}` : `by ${this.signal}`
    const lines = this.lastLines.map((line) => `\n  ${line}`).join("")
    return `${this.worker} (pid ${this.pid}) ended ${how} while it ran ${this.task}, attempt ${this.attempt}. ` +
      `Its changes to shared objects remain. Another worker replaces it. If ${this.task} is safe to repeat, give the pool ` +
      "or the call a retry schedule" + (lines === "" ? "" : `. Its last lines:${lines}`)
  }
}

/** The pool has stopped, or is stopping. */
export class PoolStopped extends Schema.TaggedError<PoolStopped>()("PoolStopped", {
  pool: Schema.String,
  task: Schema.String,
  why: Schema.String,
  /** Whether the task had started. If so, it was interrupted. */
  started: Schema.Boolean
}) {
  override get message(): string {
    return `${this.pool} has stopped: ${this.why}. ${this.task} ${this.started ? "was interrupted" : "did not run"}`
  }
}

/** A payload or a result is longer than one message may be; of a chunk, all payloads or results together. */
export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", {
  task: Schema.String,
  what: Schema.Literals(["payload", "result"]),
  /** Characters of JSON. */
  length: Schema.Int,
  max: Schema.Int
}) {
  override get message(): string {
    const fate = this.what === "payload" ? "It did not run" : "It has run, and its result is lost"
    return `the ${this.what} of ${this.task} has ${this.length} characters of JSON, more than ${this.max}. ${fate}; ` +
      "use smaller chunks, or pass a handle or the name of a file"
  }
}
