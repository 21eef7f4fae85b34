/**
 * Failures between a program and its manager, for every kind of object.
 *
 * There is one error, `ManagerError`. Its `reason` names the object and the operation, and says whether the data is
 * safe and what to do. `Effect.catchReason("ManagerError", "OutcomeUnknown", …)` catches a single reason. Situations of
 * one kind, such as a closed queue or a lost lock, are separate errors in the module of that kind.
 */
import * as Schema from "effect/Schema"
import { refusals } from "./protocol/refusals.ts"

const call = { object: Schema.String, operation: Schema.String }

/** The client could not connect to the manager. Nothing was sent. */
export class ConnectFailed extends Schema.TaggedError<ConnectFailed>()("ConnectFailed", {
  address: Schema.String,
  issue: Schema.String
}) {
  override get message(): string {
    return `cannot connect to the manager at ${this.address}: ${this.issue}. Is it running, and is this its address?`
  }
}

/** The manager's process or its socket could not be started. No process, socket or file remains. */
export class StartFailed extends Schema.TaggedError<StartFailed>()("StartFailed", {
  address: Schema.String,
  issue: Schema.String
}) {
  override get message(): string {
    return `cannot start a manager at ${this.address}: ${this.issue}`
  }
}

const remedies = {
  WrongKey: "the key is wrong. Use the key that the manager was started with",
  NoRole: "the certificate of this client has no role there. Use another one, or add its name to tls.clientRoles",
  WrongVersion: "its protocol version differs. Use the same release on both sides",
  TooManySessions:
    "it has no free session. Raise limits.sessionsMax where the manager is made, or connect fewer clients",
  TooManyHandshakes:
    "too many clients connect to it at once. Connect again, or raise limits.unauthenticatedMax where the " +
    "manager is made",
  Malformed: "it could not read the handshake. Use the same release on both sides",
  SessionLost:
    "the session has ended. It was without a connection for longer than its grace, or the manager was started again",
  WrongSecret: "the session belongs to another client",
  LogDamaged:
    "its log has lost changes that were acknowledged. Restore the store of the log, then start all hosts again",
  NotAManager: "the peer is not a manager. Check the address"
} as const

/** The peer at this address refused the handshake, or is not a manager. No call was sent. */
export class HandshakeRefused extends Schema.TaggedError<HandshakeRefused>()("HandshakeRefused", {
  address: Schema.String,
  why: Schema.Literals([...refusals, "NotAManager"])
}) {
  override get message(): string {
    return `the manager at ${this.address} refused the connection: ${remedies[this.why]}`
  }
}

/** The connection ended before this call was sent. The call had no effect; it can be repeated on a new manager. */
export class NotExecuted extends Schema.TaggedError<NotExecuted>()("NotExecuted", { ...call, why: Schema.String }) {
  override get message(): string {
    return `${this.operation} on ${this.object} was not executed: ${this.why}. It had no effect`
  }
}

/** The connection ended after this call was sent, before its reply. The call took effect once, or not at all. */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()("OutcomeUnknown", {
  ...call,
  why: Schema.String
}) {
  override get message(): string {
    return `the outcome of ${this.operation} on ${this.object} is unknown: ${this.why}. ` +
      "It took effect once or not at all: read the state before you repeat it"
  }
}

/** The object no longer exists: it was removed, or its last reference was dropped. The call had no effect. */
export class ObjectNotFound extends Schema.TaggedError<ObjectNotFound>()("ObjectNotFound", {
  ...call,
  /** The scope of this program that had ended, as text for people, if that is known. */
  scope: Schema.optional(Schema.String)
}) {
  override get message(): string {
    const why = this.scope === undefined ? "" : `: ${this.scope} has ended`
    return `${this.operation} on ${this.object}: the object no longer exists${why}. The call had no effect. An object ` +
      "without a name, or as it was made, lives while a scope, a stored value or a waiting call refers to it: keep its " +
      "scope open while you use it"
  }
}

/** The object was removed (`Manager.remove`) while this call waited. The call had no effect. */
export class ObjectDeleted extends Schema.TaggedError<ObjectDeleted>()("ObjectDeleted", call) {
  override get message(): string {
    return `${this.object} was removed while ${this.operation} waited. The call had no effect`
  }
}

/** The last producer of a queue (`SharedQueue.producer`) was lost, and every item that it had offered is taken. */
export class ProducerLost extends Schema.TaggedError<ProducerLost>()("ProducerLost", call) {
  override get message(): string {
    return `${this.operation} on ${this.object}: a producer was lost before it was done, and no producer is left. All ` +
      "items that were offered have been taken; those that it did not offer are missing"
  }
}

/** The call waits for itself: it offers to a full queue, for an item of that queue. Nothing was added. */
export class Deadlock extends Schema.TaggedError<Deadlock>()("Deadlock", { ...call, capacity: Schema.Number }) {
  override get message(): string {
    return `${this.operation} on ${this.object} waits for itself: the queue is full (capacity ${this.capacity}), and each ` +
      "item that is being processed waits until it can offer another one. Nothing was added. Make the queue with a larger " +
      "capacity, or without one (Infinity)"
  }
}

/** A hold in a cycle of holds: its process waits until the next hold of the cycle ends. */
const Link = Schema.Struct({
  /** Name, process id and session of the process. */
  process: Schema.String,
  /** The object. */
  holds: Schema.String,
  /** A fencing token. */
  token: Schema.Number
})

/**
 * To wait would be for ever: processes, or fibers of one, hold what the others wait for. The call that closed the cycle
 * fails, and had no effect. The others go on when its holds end.
 */
export class DeadlockDetected extends Schema.TaggedError<DeadlockDetected>()("DeadlockDetected", {
  ...call,
  /** Each holds what the one before it waits for, and the first what the last one waits for. The first made this call. */
  cycle: Schema.Array(Link),
  /** How many holds the cycle has. `cycle` has the first 16. */
  length: Schema.Number
}) {
  override get message(): string {
    const { cycle, length } = this
    const more = length - cycle.length
    const wanted = [...cycle.slice(1), { holds: more > 0 ? "another object" : cycle[0]?.holds }]
    const links = cycle.map(({ holds, process }, i) => `${process} holds ${holds} and waits for ${wanted[i]?.holds}`)
    if (more > 0) links.push(`and ${more} more`)
    return `${this.operation} on ${this.object} would wait for ever: ${links.join("; ")}. The call had no effect. ` +
      "Acquire objects in the same order everywhere, or end one hold before you wait for another"
  }
}

/**
 * The kind of the object has a defect (`Kind.make`): the transition of this call threw, did not return an outcome, or
 * returned a state or a value that does not fit its schema. The call had no effect.
 */
export class TransitionFailed extends Schema.TaggedError<TransitionFailed>()("TransitionFailed", {
  ...call,
  issue: Schema.String
}) {
  override get message(): string {
    return `${this.operation} on ${this.object} failed by a defect of its kind: the transition ${this.issue}. ` +
      "The state is unchanged"
  }
}

/** The call would exceed a bound of `Limits`. The call had no effect. */
export class LimitExceeded extends Schema.TaggedError<LimitExceeded>()("LimitExceeded", {
  ...call,
  limit: Schema.String,
  max: Schema.Number
}) {
  override get message(): string {
    return `${this.operation} on ${this.object} would exceed ${this.limit} = ${this.max}. The call had no effect. ` +
      `To allow it, raise limits.${this.limit} where the manager is made`
  }
}

/** A value of this call does not encode with its schema. Nothing was sent. */
export class ValueNotEncoded extends Schema.TaggedError<ValueNotEncoded>()("ValueNotEncoded", {
  ...call,
  issue: Schema.String
}) {
  override get message(): string {
    return `${this.operation} on ${this.object}: the value does not encode: ${this.issue}. Nothing was sent`
  }
}

/** A value in the manager does not decode with this program's schema. The value stays in the manager, unchanged. */
export class ValueNotDecoded extends Schema.TaggedError<ValueNotDecoded>()("ValueNotDecoded", {
  ...call,
  issue: Schema.String
}) {
  override get message(): string {
    return `${this.operation} on ${this.object}: the value does not decode: ${this.issue}. ` +
      "It is safe in the manager. Use the same schema in every program that shares it"
  }
}

/**
 * The object, or one whose handle is in the value, belongs to another manager: a transaction, calls that take effect together,
 * and the handles in a value are of one manager. Each realm is a manager. Nothing was sent.
 */
export class CrossSpace extends Schema.TaggedError<CrossSpace>()("CrossSpace", { ...call }) {
  override get message(): string {
    return `${this.operation} on ${this.object}: an object belongs to another manager. Nothing was sent. A transaction, calls ` +
      "together, and the handles in a value are of one manager, and each realm is one"
  }
}

/**
 * The key of this client does not permit the call: its role is another one, or it is for other names. The call had no
 * effect.
 */
export class NotPermitted extends Schema.TaggedError<NotPermitted>()("NotPermitted", {
  ...call,
  /** The role of this client. */
  role: Schema.Literals(["client", "observer"]),
  /** What permits the call, as text for people. */
  needs: Schema.String
}) {
  override get message(): string {
    return `${this.operation} on ${this.object} is not permitted to this client, whose role is ${this.role}: it needs ` +
      `${this.needs}. Nothing was changed. Connect with a key that permits it`
  }
}

/** The manager does not have this operation, or does not accept these arguments. The call had no effect. */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()("InvalidRequest", {
  ...call,
  issue: Schema.String
}) {
  override get message(): string {
    return `${this.operation} on ${this.object} was refused: ${this.issue}. The call had no effect`
  }
}

/** The reasons of a `ManagerError`, as a schema. */
export const ManagerErrorReason = Schema.Union([
  ConnectFailed,
  StartFailed,
  HandshakeRefused,
  NotExecuted,
  OutcomeUnknown,
  ObjectNotFound,
  ObjectDeleted,
  ProducerLost,
  Deadlock,
  DeadlockDetected,
  TransitionFailed,
  LimitExceeded,
  ValueNotEncoded,
  ValueNotDecoded,
  CrossSpace,
  NotPermitted,
  InvalidRequest
])

/** A reason of a `ManagerError`. */
export type ManagerErrorReason = typeof ManagerErrorReason.Type

/** The connection or the manager failed a call. `reason` says how, and whether the call had an effect. */
export class ManagerError extends Schema.TaggedError<ManagerError>()("ManagerError", {
  reason: ManagerErrorReason
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** The name belongs to an object of another kind, or with another schema (S-26, S-27). Nothing was changed. */
export class SchemaMismatch extends Schema.TaggedError<SchemaMismatch>()("SchemaMismatch", {
  /** The name. */
  object: Schema.String,
  existing: Schema.String,
  requested: Schema.String
}) {
  override get message(): string {
    const [existing, requested] = difference(this.existing, this.requested)
    return `"${this.object}" is shared as ${existing}, not as ${requested}. ` +
      "Use two different names, or the same schema"
  }
}

/** The name belongs to an object with other options (S-27). Nothing was changed. */
export class OptionsMismatch extends Schema.TaggedError<OptionsMismatch>()("OptionsMismatch", {
  /** The name. */
  object: Schema.String,
  existing: Schema.String,
  requested: Schema.String
}) {
  override get message(): string {
    const [existing, requested] = [differing(this.existing, this.requested), differing(this.requested, this.existing)]
    return `"${this.object}" was opened ${existing}, not ${requested}. ` +
      "Every program that opens the name must use the same options"
  }
}

/** Those of some options that the others have not. */
const differing = (options: string, others: string): string => {
  const known = new Set(others.split(", "))
  const own = options.split(", ").filter((option) => option !== "" && !known.has(option))
  return own.length === 0 ? "without" : `with ${own.join(", ")}`
}

/** Characters of a text that is shown as a whole. */
const wholeLength = 60

/** Characters that are shown before a difference, and after its beginning. */
const around = 25

/** Two texts, and of long ones what stands around their first difference. */
const difference = (left: string, right: string): readonly [string, string] => {
  if (left.length <= wholeLength && right.length <= wholeLength) return [left, right]
  let at = 0
  while (at < left.length && left[at] === right[at]) at++
  const show = (text: string) => {
    const [from, to] = [Math.max(0, at - around), at + around]
    return (from > 0 ? "…" : "") + text.slice(from, to) + (to < text.length ? "…" : "")
  }
  return [show(left), show(right)]
}
