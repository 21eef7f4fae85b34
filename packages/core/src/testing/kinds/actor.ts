/** Calls that a host carries out: each by at most one host, and each ends. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Actor from "../../Actor.ts"
import { actor as kind } from "../../engine/kinds/actor.ts"
import type { Withdrawal } from "../../engine/Operation.ts"
import type { Argument } from "../../engine/Value.ts"
import type { Actor as Client } from "../Workload.ts"
import { Handle, makeHandle } from "./handle.ts"
import { type Answer, type Call, type Granted, holds, isFinal, type Model, notHeld, type Reply } from "./Model.ts"
import { remoteOf, specimen } from "./Specimen.ts"

/** A call that waits. */
interface Waiting {
  /** The index at which it began. */
  readonly since: number
  readonly method: Argument
  readonly payload: Argument
  readonly span: Argument
  /** Where it is: in the mailbox, with the host by this grant, or at its end. */
  readonly place: "mailbox" | { readonly grant: number } | { readonly reply: Reply }
}

class ActorModel implements Model {
  readonly unguarded = new Set(["receive", "answerAndReceive", "answer", "end"])
  readonly grants: Map<number, Granted>
  readonly #mailboxMax: number
  readonly #waits: boolean
  #host: number | undefined
  /** In the order in which they began. */
  #calls: ReadonlyArray<Waiting>

  constructor(
    mailboxMax: number,
    waits: boolean,
    host?: number,
    calls: ReadonlyArray<Waiting> = [],
    grants = new Map<number, Granted>()
  ) {
    this.#mailboxMax = mailboxMax
    this.#waits = waits
    this.#host = host
    this.#calls = calls
    this.grants = grants
  }

  look({ args: [first], operation, session, since }: Call): Answer | undefined {
    switch (operation) {
      case "call":
        if (since !== undefined) return undefined
        if (this.#host === undefined && !this.#waits) return { error: "NotHosted" }
        return this.#mailbox.length < this.#mailboxMax ? undefined : { error: "MailboxFull" }
      case "serve":
        return this.#host === undefined || first === 1 ? undefined : { error: "AlreadyServed" }
      case "receive":
      case "answerAndReceive":
      case "end":
        return first === this.#host && holds(this, session, first) ? undefined : notHeld
      case "answer":
        return first !== this.#host && holds(this, session, first) ? undefined : notHeld
      case "status":
        return {
          reply: [this.#host === undefined ? 0 : 1, this.#mailbox.length, this.#calls.length - this.#mailbox.length]
        }
    }
    return undefined
  }

  change(call: Call): Reply | undefined {
    if (isFinal(this.look(call))) return undefined
    const { args, index, operation, session, since } = call
    switch (operation) {
      case "call": {
        const place = this.#calls.find((waiting) => waiting.since === since)?.place
        if (typeof place !== "object" || !("reply" in place)) return undefined
        this.#calls = this.#calls.filter((waiting) => waiting.since !== since)
        return place.reply
      }
      case "serve":
        if (this.#host !== undefined) return undefined
        this.#host = index
        this.grants.set(index, { session, byReceipt: false })
        return [index]
      case "receive":
      case "answerAndReceive": {
        const [first] = this.#mailbox
        if (first === undefined) return undefined
        if (operation === "answerAndReceive" && since === undefined) this.#answer(call)
        this.#put(first, { grant: index })
        this.grants.set(index, { session, byReceipt: false })
        return [index, first.method, first.payload, first.span]
      }
      case "answer":
        this.#end(Number(args[0]), { reply: args.slice(1) })
        return []
      case "end":
        this.#unhost("mailbox")
        return []
    }
    return undefined
  }

  enter(call: Call): void {
    if (call.operation === "answerAndReceive") return this.#answer(call)
    const { args: [method, payload, span], index } = call
    this.#calls = [...this.#calls, { since: index, method: method!, payload: payload!, span: span!, place: "mailbox" }]
  }

  withdraw({ since }: Call): void {
    const place = this.#calls.find((waiting) => waiting.since === since)?.place
    if (typeof place === "object" && "grant" in place) this.grants.delete(place.grant)
    this.#calls = this.#calls.filter((waiting) => waiting.since !== since)
  }

  revoke(grant: number, reason: Withdrawal): void {
    if (grant === this.#host) this.#unhost(died)
    else if (this.grants.has(grant)) this.#end(grant, reason === "cancelled" ? "mailbox" : died)
  }

  isPristine(): boolean {
    return this.#host === undefined && this.#calls.length === 0
  }

  state(): unknown {
    return [this.#host, this.#calls, [...this.grants]]
  }

  copy(): ActorModel {
    return new ActorModel(this.#mailboxMax, this.#waits, this.#host, this.#calls, new Map(this.grants))
  }

  get #mailbox(): ReadonlyArray<Waiting> {
    return this.#calls.filter(({ place }) => place === "mailbox")
  }

  #put(waiting: Waiting, place: Waiting["place"]): void {
    this.#calls = this.#calls.map((other) => other === waiting ? { ...other, place } : other)
  }

  /** The answer of `answerAndReceive`, whose caller may be gone. */
  #answer({ args: [, grant, how, result], session }: Call): void {
    if (holds(this, session, grant)) this.#end(Number(grant), { reply: [how!, result!] })
  }

  /** A delivery ends. */
  #end(grant: number, place: Waiting["place"]): void {
    this.grants.delete(grant)
    const waiting = this.#calls.find(({ place }) =>
      typeof place === "object" && "grant" in place && place.grant === grant
    )
    if (waiting !== undefined) this.#put(waiting, place)
  }

  /** The host ends, and with it every delivery: it was not begun, or nobody knows. */
  #unhost(place: Waiting["place"]): void {
    this.grants.delete(this.#host!)
    this.#host = undefined
    for (const grant of this.grants.keys()) this.#end(grant, place)
    if (this.#waits) return
    for (const waiting of this.#mailbox) this.#put(waiting, { reply: ["unhosted", null] })
  }
}

const died = { reply: ["died", null] }

const mailboxMax = 3

const methods = {
  echo: Actor.method({ payload: Schema.Int, success: Schema.Int, error: Schema.String }),
  pass: Actor.method({ payload: Handle, success: Handle }),
  dawdle: Actor.method({ payload: Schema.Int }),
  count: Actor.stream({ payload: Schema.Int, success: Schema.Int })
}

type Sample = Actor.Actor<typeof methods>

/** Hosts an actor until it is interrupted. */
const serve = (sample: Sample, { sleep }: Client, options?: Actor.ServeOptions) =>
  Actor.serve(sample, {
    echo: (n) => n % 5 === 0 ? Effect.fail("five") : n % 7 === 0 ? Effect.die("seven") : Effect.succeed(n),
    pass: Effect.succeed,
    dawdle: sleep,
    count: (n) => Stream.range(1, n)
  }, options)

/** Hosts an actor for a while. */
const serveSome = (sample: Sample, client: Client, options?: Actor.ServeOptions) =>
  Effect.timeoutOption(serve(sample, client, options), client.random.pick([client.soon(), 50, 200]))

/** What a caller may be told besides the result. A defect of the handler is expected. */
const called = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.catchCause(
    call,
    (cause) => Cause.hasDies(cause) && Cause.squash(cause) === "seven" ? Effect.void : Effect.failCause(cause)
  )

/** The specimen of `Actor`. */
export const actor = specimen({
  kind,
  model: ({ mailboxMax, withoutHost }) => new ActorModel(Number(mailboxMax), withoutHost === "wait"),
  harmless: {
    "reason-forgotten": "what was revoked, the host or a delivery, says as much as the reason",
    "answerAndReceive/newcomer": "a call that it has answered before it began to wait is delivered no longer"
  },
  samples: {
    sample: (name) => Actor.make({ name, methods, mailboxMax }),
    /** Its calls do not wait for a host. */
    hasty: (name) => Actor.make({ name, methods, mailboxMax, withoutHost: "fail" })
  },
  actions: {
    serve: ({ sample }, client) =>
      serveSome(sample, client, { concurrency: 1 + client.random.below(2), prefetch: client.random.below(3) }),
    serveHasty: ({ hasty }, client) => serveSome(hasty, client),
    standBy: ({ sample }, client) => serveSome(sample, client, { standby: true, prefetch: 1 }),
    echo: ({ sample }, { impatiently, random }) => impatiently(called(sample.echo(random.below(20)))),
    echoAll: ({ sample }, { random }) =>
      Effect.all([1, 2, 3, 4].map((n) => Effect.exit(called(sample.echo(n + random.below(10))))), {
        concurrency: "unbounded"
      }),
    echoHasty: ({ hasty }, { impatiently, random }) => impatiently(called(hasty.echo(random.below(20)))),
    pass: ({ sample }, { impatiently }) => impatiently(Effect.flatMap(makeHandle, sample.pass)),
    dawdle: ({ sample }, { impatiently, soon }) => impatiently(sample.dawdle(soon())),
    count: ({ sample }, { watch }) => watch(sample.count(100)),
    status: ({ hasty, sample }) => Effect.all([Actor.status(sample), Actor.status(hasty)]),
    /** Becomes the host by hand, receives a call or none, and ends without an answer. */
    byHand: ({ sample }, { impatiently }) => {
      const remote = remoteOf(sample, kind)
      const done = () => Exit.void
      return Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(
          remote.callOwned(restore, "serve", [0], ([host]) => Exit.succeed(host)),
          (host) =>
            restore(impatiently(
              Effect.uninterruptibleMask((restore) => remote.callOwned(restore, "receive", [host], done))
            )).pipe(
              Effect.andThen(Effect.flip(remote.call("answer", [host, "died", null], done))),
              Effect.andThen(Effect.flip(remote.call("receive", [host + 1], done))),
              Effect.ensuring(Effect.ignore(remote.call("end", [host], done)))
            )
        )
      )
    },
    endNothing: ({ sample }) => Effect.flip(remoteOf(sample, kind).call("end", [0], () => Exit.void))
  },
  help: ({ sample }, client) => [
    serve(sample, client, { standby: true }),
    called(sample.echo(1))
  ]
})
