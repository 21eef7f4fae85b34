/**
 * What can go wrong between a program and its manager, whatever the kind of object.
 *
 * One error, `ManagerError`, with a reason that says who, what, whether data is safe and what to do:
 * `Effect.catchReason("ManagerError", "OutcomeUnknown", …)` catches one of them. The situations of a kind (a closed
 * queue, a lost lock) are errors of their own beside it.
 */
import * as Schema from "effect/Schema"

const call = { object: Schema.String, operation: Schema.String }

/** No connection to the manager could be made. Nothing was sent. */
export class ConnectFailed extends Schema.TaggedError<ConnectFailed>()("ConnectFailed", {
  address: Schema.String,
  issue: Schema.String
}) {
  override get message(): string {
    return `cannot connect to the manager at ${this.address}: ${this.issue}. Is it running, and is this its address?`
  }
}

/** No manager could be started. Nothing is left of it. */
export class StartFailed extends Schema.TaggedError<StartFailed>()("StartFailed", {
  address: Schema.String,
  issue: Schema.String
}) {
  override get message(): string {
    return `cannot start a manager at ${this.address}: ${this.issue}`
  }
}

const refusals = {
  WrongKey: "the key is not this manager's. Use the key it was started with",
  WrongVersion: "it speaks another version of the protocol. Use the same release on both sides",
  TooManySessions: "it has as many sessions as it admits (sessionsMax)",
  Malformed: "it did not understand the handshake",
  NotAManager: "what answers there is not a manager"
} as const

/** The manager, or whatever answered, would not have this client. Nothing was sent. */
export class HandshakeRefused extends Schema.TaggedError<HandshakeRefused>()("HandshakeRefused", {
  address: Schema.String,
  why: Schema.Literals(["WrongKey", "WrongVersion", "TooManySessions", "Malformed", "NotAManager"])
}) {
  override get message(): string {
    return `the manager at ${this.address} refused the connection: ${refusals[this.why]}`
  }
}

/** The connection ended before this call was sent: it had no effect and can be made again on a new manager. */
export class NotExecuted extends Schema.TaggedError<NotExecuted>()("NotExecuted", { ...call, why: Schema.String }) {
  override get message(): string {
    return `${this.operation} on ${this.object} was not executed: ${this.why}. It had no effect`
  }
}

/** The connection ended while this call was under way: it took effect once, or not at all. */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()("OutcomeUnknown", {
  ...call,
  why: Schema.String
}) {
  override get message(): string {
    return `the outcome of ${this.operation} on ${this.object} is unknown: ${this.why}. ` +
      "It took effect once or not at all; do not repeat it blindly"
  }
}

/** The object is gone: deleted, or nothing referred to it any more. The call had no effect. */
export class ObjectNotFound extends Schema.TaggedError<ObjectNotFound>()("ObjectNotFound", call) {
  override get message(): string {
    return `${this.operation}: ${this.object} does not exist any more. An object without a name lives while a scope ` +
      "or a stored value refers to it; one with a name until it is deleted"
  }
}

/** The object was deleted while this call waited for it. The call had no effect. */
export class ObjectDeleted extends Schema.TaggedError<ObjectDeleted>()("ObjectDeleted", call) {
  override get message(): string {
    return `${this.object} was deleted while ${this.operation} waited. It had no effect`
  }
}

/** A bound would be exceeded (`Limits`). The call had no effect. */
export class LimitExceeded extends Schema.TaggedError<LimitExceeded>()("LimitExceeded", {
  ...call,
  limit: Schema.String,
  max: Schema.Number
}) {
  override get message(): string {
    return `${this.operation} on ${this.object} would exceed ${this.limit} = ${this.max}. It had no effect; ` +
      `set limits.${this.limit} where the manager is made if that is meant`
  }
}

/** A value does not match the schema on its way out. Nothing was sent. */
export class ValueNotEncoded extends Schema.TaggedError<ValueNotEncoded>()("ValueNotEncoded", {
  ...call,
  issue: Schema.String
}) {
  override get message(): string {
    return `${this.operation} on ${this.object}: the value does not encode: ${this.issue}. Nothing was sent`
  }
}

/** What the manager holds does not match the schema of this program. It stays where it was. */
export class ValueNotDecoded extends Schema.TaggedError<ValueNotDecoded>()("ValueNotDecoded", {
  ...call,
  issue: Schema.String
}) {
  override get message(): string {
    return `${this.operation} on ${this.object}: the value does not decode: ${this.issue}. ` +
      "It is safe in the manager; do the programs that share it have the same schema?"
  }
}

/** A handle of another manager, or of one that has ended. Nothing was sent. */
export class ForeignHandle extends Schema.TaggedError<ForeignHandle>()("ForeignHandle", { ...call }) {
  override get message(): string {
    return `${this.operation} on ${this.object}: this handle belongs to another manager`
  }
}

/** The manager does not know what was asked, or not with such arguments. The call had no effect. */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()("InvalidRequest", {
  ...call,
  issue: Schema.String
}) {
  override get message(): string {
    return `${this.operation} on ${this.object} was refused: ${this.issue}. It had no effect`
  }
}

/** Why a call failed. */
export const ManagerErrorReason = Schema.Union([
  ConnectFailed,
  StartFailed,
  HandshakeRefused,
  NotExecuted,
  OutcomeUnknown,
  ObjectNotFound,
  ObjectDeleted,
  LimitExceeded,
  ValueNotEncoded,
  ValueNotDecoded,
  ForeignHandle,
  InvalidRequest
])

/** Why a call failed. */
export type ManagerErrorReason = typeof ManagerErrorReason.Type

/** The infrastructure failed a call: `reason` says how, and whether it had an effect. */
export class ManagerError extends Schema.TaggedError<ManagerError>()("ManagerError", {
  reason: ManagerErrorReason
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** A name is used for an object of another kind or of other items (S-26, S-27). Nothing was changed. */
export class SchemaMismatch extends Schema.TaggedError<SchemaMismatch>()("SchemaMismatch", {
  name: Schema.String,
  existing: Schema.String,
  requested: Schema.String
}) {
  override get message(): string {
    return `"${this.name}" is shared as ${this.existing}, not as ${this.requested}. ` +
      "Give the two different names, or the same schema"
  }
}

/** A name is used for an object with other options (S-27). Nothing was changed. */
export class OptionsMismatch extends Schema.TaggedError<OptionsMismatch>()("OptionsMismatch", {
  name: Schema.String,
  existing: Schema.String,
  requested: Schema.String
}) {
  override get message(): string {
    return `"${this.name}" was opened with ${this.existing}, not with ${this.requested}. All who open a name must agree`
  }
}
