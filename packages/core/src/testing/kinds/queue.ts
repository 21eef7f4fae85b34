/** First in, first out; what comes back goes to its old place, and what fails too often to the dead letters. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { queue as kind } from "../../engine/kinds/queue.ts"
import type { Withdrawal } from "../../engine/Operation.ts"
import { cell } from "../../engine/Value.ts"
import type { Argument } from "../../engine/Value.ts"
import * as SharedQueue from "../../SharedQueue.ts"
import { type Actor, lateRound } from "../Workload.ts"
import { Handle, makeHandle } from "./handle.ts"
import {
  type Answer,
  type Call,
  type Granted,
  holds,
  isFinal,
  type MakeModel,
  type Model,
  notHeld,
  type Reply
} from "./Model.ts"
import { remoteOf, specimen } from "./Specimen.ts"

interface Item {
  /** Its place in the queue, for ever: how many were offered before it. */
  readonly place: number
  readonly value: Argument
  /** Deliveries that failed. */
  readonly attempts: number
}

interface State {
  readonly capacity: number
  readonly attemptsMax: number
  closed: boolean
  offered: number
  /** In order of their places. */
  readonly waiting: Array<Item>
  readonly dead: Array<Item & { readonly reason: string }>
  /** By grant: work in progress, which still fills the queue, and what is the client's once received. */
  readonly leased: Map<number, Item>
  readonly delivered: Map<number, Item>
  readonly grants: Map<number, Granted>
}

class QueueModel implements Model {
  readonly unguarded = new Set(["ack", "giveBack", "reject"])
  readonly #state: State

  constructor(state: State) {
    this.#state = state
  }

  get grants() {
    return this.#state.grants
  }

  look({ args, operation, session }: Call): Answer | undefined {
    const { closed, dead, leased, waiting } = this.#state
    switch (operation) {
      case "offerAll":
        if (closed) return { error: "QueueClosed" }
        return args.length === 0 || this.#room <= 0 ? { reply: [0] } : { reply: [0], ifOthersWait: true }
      case "poll":
        return waiting.length === 0 ? { reply: [] } : { reply: [], ifOthersWait: true }
      case "clear":
        return waiting.length === 0 ? { reply: [0] } : undefined
      case "isFull":
        return { reply: [this.#room <= 0 ? 1 : 0] }
      case "untilEmpty":
        return waiting.length === 0 ? { reply: [] } : undefined
      case "untilSettled":
        // Whether what was delivered has been received, nobody tells.
        return waiting.length === 0 && leased.size === 0 ? { reply: [] } : undefined
      case "offer":
        return closed ? { error: "QueueClosed" } : undefined
      case "take":
      case "takeLease":
        return closed && waiting.length === 0 && leased.size === 0 ? { error: "QueueClosed" } : undefined
      case "ack":
      case "giveBack":
      case "reject":
        return holds(this, session, args[0]) ? undefined : notHeld
      case "size":
        return { reply: [waiting.length, leased.size] }
      case "deadLetters":
        return { reply: dead.flatMap(({ attempts, reason, value }) => [reason, attempts, value]) }
    }
    return undefined
  }

  change(call: Call): Reply | undefined {
    if (isFinal(this.look(call))) return undefined
    const { args, index, operation } = call
    const state = this.#state
    switch (operation) {
      case "offer":
        if (this.#room <= 0) return undefined
        state.waiting.push({ place: state.offered++, value: args[0]!, attempts: 0 })
        return []
      case "offerAll": {
        const accepted = args.slice(0, Math.ceil(this.#room))
        for (const value of accepted) state.waiting.push({ place: state.offered++, value, attempts: 0 })
        return [accepted.length]
      }
      case "poll":
      case "take": {
        const item = this.#deliver(state.delivered, call)
        return item && [item.value]
      }
      case "takeLease": {
        const item = this.#deliver(state.leased, call)
        return item && [index, item.attempts + 1, item.value]
      }
      case "ack":
        this.#takeBack(Number(args[0]))
        return []
      case "giveBack": {
        const item = this.#takeBack(Number(args[0]))
        if (args[1] === 1) this.#failed(item, String(args[2]))
        else this.#putBack(item)
        return []
      }
      case "reject":
        state.dead.push({ ...this.#takeBack(Number(args[0])), reason: String(args[1]) })
        return []
      case "clear":
        return [state.waiting.splice(0).length]
      case "close":
        state.closed = true
        return []
    }
    return undefined
  }

  revoke(grant: number, reason: Withdrawal): void {
    const item = this.#takeBack(grant)
    if (reason === "session ended") this.#failed(item, "the worker's session ended")
    else this.#putBack(item)
  }

  isPristine(): boolean {
    // Whether what was delivered has been received, nobody tells.
    const { closed, dead, leased, waiting } = this.#state
    return !closed && waiting.length === 0 && leased.size === 0 && dead.length === 0
  }

  state(): unknown {
    const { closed, dead, delivered, leased, waiting } = this.#state
    return [closed, waiting, dead, [...leased], [...delivered]]
  }

  copy(): QueueModel {
    const { dead, delivered, grants, leased, waiting } = this.#state
    return new QueueModel({
      ...this.#state,
      waiting: [...waiting],
      dead: [...dead],
      leased: new Map(leased),
      delivered: new Map(delivered),
      grants: new Map(grants)
    })
  }

  get #room(): number {
    const { capacity, leased, waiting } = this.#state
    return capacity - waiting.length - leased.size
  }

  #deliver(to: Map<number, Item>, { index, session }: Call): Item | undefined {
    const item = this.#state.waiting.shift()
    if (item === undefined) return undefined
    to.set(index, item)
    this.#state.grants.set(index, { session, byReceipt: to === this.#state.delivered })
    return item
  }

  #takeBack(grant: number): Item {
    const { delivered, grants, leased } = this.#state
    const item = leased.get(grant) ?? delivered.get(grant)!
    leased.delete(grant)
    delivered.delete(grant)
    grants.delete(grant)
    return item
  }

  #putBack(item: Item): void {
    this.#state.waiting.push(item)
    this.#state.waiting.sort((left, right) => left.place - right.place)
  }

  #failed(item: Item, reason: string): void {
    const tried = { ...item, attempts: item.attempts + 1 }
    if (tried.attempts >= this.#state.attemptsMax) this.#state.dead.push({ ...tried, reason })
    else this.#putBack(tried)
  }
}

/** An empty queue. */
const makeQueue: MakeModel = ({ attempts, capacity }) =>
  new QueueModel({
    capacity: Number(capacity),
    attemptsMax: Number(attempts),
    closed: false,
    offered: 0,
    waiting: [],
    dead: [],
    leased: new Map(),
    delivered: new Map(),
    grants: new Map()
  })

/** Takes an item for good. */
const take = (jobs: SharedQueue.SharedQueue<number>, { client, ledger }: Actor) =>
  Effect.map(jobs.take, (item) => ledger.took(item, client))

/** The specimen of `Queue`. */
export const queue = specimen({
  kind,
  model: makeQueue,
  harmless: {
    "offerAll/overtakes": "while a call waits for room there is none, but for calls that take effect together",
    "poll/overtakes": "while a call waits for an item there is none, but for calls that take effect together"
  },
  samples: {
    /** So small that putters wait, and soon full of dead letters. */
    jobs: (name) => SharedQueue.make({ name, item: Schema.Int, capacity: 2, attempts: 2 }),
    /** Closed in the middle of everything. */
    brief: (name) => SharedQueue.make({ name, item: Schema.Int, capacity: 1 }),
    mail: (name) => SharedQueue.make({ name, item: Handle, capacity: 2, attempts: 2 })
  },
  actions: {
    offer: ({ jobs }, { impatiently, ledger }) => impatiently(jobs.offer(ledger.item())),
    offerAll: ({ jobs }, { impatiently, ledger }) =>
      impatiently(jobs.offerAll([ledger.item(), ledger.item(), ledger.item()])),
    offerIfRoom: ({ jobs }, { ledger }) => jobs.offerIfRoom(ledger.item()),
    /** An item that those who take it cannot decode. */
    offerNonsense: ({ jobs }) => remoteOf(jobs, kind).call("offer", [cell("\"nonsense\"")], () => Exit.void),
    take: ({ jobs }, actor) => actor.impatiently(take(jobs, actor)),
    poll: ({ jobs }, { client, ledger }) =>
      Effect.map(jobs.poll, (item) => Option.isSome(item) && ledger.took(item.value, client)),
    process: ({ jobs }, { client, ledger, work }) =>
      Effect.flatMap(
        jobs.process((item) => Effect.as(work(), item)),
        (item) => Effect.sync(() => ledger.took(item, client))
      ),
    processSoon: ({ jobs }, { impatiently, work }) => impatiently(jobs.process(work)),
    processAndFail: ({ jobs }, { work }) => jobs.process(() => Effect.andThen(work(), Effect.fail("no"))),
    lease: ({ jobs }, { client, impatiently, ledger, random, work }) =>
      impatiently(
        Effect.gen(function*() {
          const lease = yield* jobs.takeLease
          yield* work()
          if (random.chance(1 / 3)) return
          if (random.chance(1 / 3)) return yield* lease.nack("not this one")
          yield* lease.ack
          ledger.took(lease.item, client)
        }).pipe(Effect.scoped)
      ),
    clear: ({ brief, jobs }, { random }) => random.chance(1 / 4) ? jobs.clear : brief.clear,
    size: ({ jobs }) => jobs.size,
    isFull: ({ brief }) => Effect.andThen(brief.isFull, brief.isEmpty),
    untilEmpty: ({ brief, jobs }, { impatiently, random }) =>
      impatiently(random.chance(1 / 2) ? jobs.untilEmpty : brief.untilEmpty),
    untilSettled: ({ brief, jobs }, { impatiently, random }) =>
      impatiently(random.chance(1 / 2) ? jobs.untilSettled : brief.untilSettled),
    deadLetters: ({ jobs }) => jobs.deadLetters,
    brief: ({ brief }, { ledger, random }) =>
      random.chance(1 / 2) ? brief.take : brief.offerAll([ledger.item(), ledger.item()]),
    close: ({ brief }) => brief.close,
    send: ({ mail }, { impatiently }) => Effect.flatMap(makeHandle, (handle) => impatiently(mail.offer(handle))),
    receive: ({ mail }, { impatiently, random }) =>
      impatiently(
        random.pick<Effect.Effect<unknown, unknown>>([
          Effect.flatMap(mail.take, (handle) => handle.increment),
          mail.process((handle) => handle.increment),
          mail.process(() => Effect.fail("no")),
          mail.deadLetters,
          mail.clear
        ])
      )
  },
  help: ({ brief, jobs, mail }, actor, round) => [
    Effect.suspend(() => jobs.offer(actor.ledger.item())),
    take(jobs, actor),
    mail.take,
    Effect.flatMap(makeHandle, mail.offer),
    brief.clear,
    brief.close,
    ...round < lateRound ? [] : [jobs.close, jobs.clear, mail.close, mail.clear]
  ]
})
