/**
 * The errors of actors.
 */
import * as Schema from "effect/Schema"

const call = { actor: Schema.String, method: Schema.String }

/**
 * The host of an actor has ended, or has interrupted the handler, after the call was delivered to it. The call may have
 * taken effect, in whole or in part. It is not repeated.
 */
export class ActorDied extends Schema.TaggedError<ActorDied>()("ActorDied", call) {
  override get message(): string {
    return `the host of ${this.actor} ended before ${this.method} did. The call may have taken effect, in whole or in ` +
      "part. If the method is safe to repeat, repeat it: a call waits until there is a host again"
  }
}

/** The mailbox of an actor is full: too many calls wait for its host. This one had no effect. */
export class MailboxFull extends Schema.TaggedError<MailboxFull>()("MailboxFull", {
  ...call,
  max: Schema.Number
}) {
  override get message(): string {
    return `${this.max} calls wait for the host of ${this.actor}. ${this.method} had no effect. Repeat it later, and ` +
      "check that the actor is hosted"
  }
}

/** An actor without a host was called, and its calls do not wait for one. This one had no effect. */
export class NotHosted extends Schema.TaggedError<NotHosted>()("NotHosted", call) {
  override get message(): string {
    return `${this.actor} has no host. ${this.method} had no effect. Host the actor with serve in one of the processes`
  }
}

/** An actor has a host already. This process does not host it. */
export class AlreadyServed extends Schema.TaggedError<AlreadyServed>()("AlreadyServed", { actor: Schema.String }) {
  override get message(): string {
    return `${this.actor} has a host. To take its place when it ends, serve with standby`
  }
}
