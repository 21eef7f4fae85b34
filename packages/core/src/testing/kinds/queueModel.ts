/** Queues, as they should behave: items in order, leases that fill the queue, dead letters, producers, transactions. */
import type { Withdrawal } from "../../engine/Operation.ts"
import { type Argument, bytesMaxOf } from "../../engine/Value.ts"
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

interface Item {
  /** Its place in the queue, for ever: how many were offered before it. */
  readonly place: number
  readonly value: Argument
  /** Deliveries that failed. */
  readonly attempts: number
}

interface Letter extends Item {
  readonly id: number
  readonly reason: string
}

interface State {
  readonly capacity: number
  readonly attemptsMax: number
  readonly lettersMax: number
  /** Whether a lease has a deadline. */
  readonly isBounded: boolean
  /** Nothing is delivered while there are as many letters; otherwise the oldest makes room. */
  readonly suspends: boolean
  closed: boolean
  offered: number
  /** In order of their places. */
  readonly waiting: Array<Item>
  readonly dead: Array<Letter>
  /** Letters that there were. */
  died: number
  /** Letters that made room for others. */
  discarded: number
  /** By grant: work in progress, which still fills the queue, and what is the client's once received. */
  readonly leased: Map<number, Item>
  readonly delivered: Map<number, Item>
  /** By grant: whether it has the place of a lost one. */
  readonly producers: Map<number, boolean>
  /** Places that lost producers have left. */
  emptyPlaces: number
  /** Whether a producer was done. */
  finished: boolean
  /** Closed although items of lost producers are missing. */
  failed: boolean
  readonly grants: Map<number, Granted>
}

class QueueModel implements Model {
  readonly unguarded = new Set(["ack", "giveBack", "reject", "endProducer"])
  readonly #state: State

  constructor(state: State) {
    this.#state = state
  }

  get grants() {
    return this.#state.grants
  }

  look({ args, operation, session }: Call): Answer | undefined {
    const { closed, dead, discarded, leased, waiting } = this.#state
    switch (operation) {
      case "peek": {
        if (this.#isOver) return this.#end
        const item = this.#deliverable[Number(args[0])]
        return { reply: item === undefined ? [] : [item.place, item.value] }
      }
      case "check":
        return this.#isUnchanged(args) ? { reply: [] } : { error: "Conflict" }
      case "untilChanged":
        if (!this.#isUnchanged(args)) return { reply: [] }
        return this.#isOver ? this.#ifReceived({ reply: [] }) : undefined
      case "untilRoom":
        return closed ? { reply: [] } : this.#room >= Number(args[0]) ? { reply: [], ifOthersWait: true } : undefined
      case "commit":
      case "commitOffers":
        return this.#lookCommit(args, session)
      case "offerAll":
        if (closed) return { error: "QueueClosed" }
        return args.length === 0 || this.#room <= 0 ? { reply: [0] } : { reply: [0], ifOthersWait: true }
      case "poll":
        return waiting.length === 0 || this.#isSuspended ? { reply: [] } : { reply: [], ifOthersWait: true }
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
        if (closed) return { error: "QueueClosed" }
        return this.#room <= 0 && args.slice(1).some((lease) => holds(this, session, lease))
          ? { error: "Deadlock", ifOthersWait: true }
          : undefined
      case "take":
      case "takeLease":
        return closed && waiting.length === 0 && leased.size === 0
          ? { error: this.#state.failed ? "ProducerLost" : "QueueClosed" }
          : undefined
      case "addProducer":
        return closed ? { error: "QueueClosed" } : undefined
      case "endProducer":
        return this.#state.producers.has(Number(args[0])) && holds(this, session, args[0]) ? undefined : notHeld
      case "ack":
      case "giveBack":
      case "reject":
        return holds(this, session, args[0]) ? undefined : notHeld
      case "size":
        return { reply: [waiting.length, leased.size] }
      case "deadLetters":
        return { reply: this.#page(args.map(Number)) }
      case "deadLetter":
        return { reply: dead.flatMap(({ id, value }) => id === args[0] ? [value] : []) }
      case "deadLetterCounts":
        return { reply: [dead.length, discarded] }
      case "drop":
        return dead.some(({ id }) => id === args[0]) ? undefined : { reply: [0] }
      case "retry":
        if (!dead.some(({ id }) => id === args[0])) return { reply: [0] }
        return closed ? { error: "QueueClosed" } : undefined
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
        return item && [index, item.attempts + 1, item.value, ...this.#state.isBounded ? [1] : []]
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
        this.#bury(this.#takeBack(Number(args[0])), String(args[1]))
        return []
      case "drop":
        this.#exhume(args[0])
        return [1]
      case "retry":
        if (this.#room <= 0) return undefined
        state.waiting.push({ place: state.offered++, value: this.#exhume(args[0]), attempts: 0 })
        return [1]
      case "clear":
        return [state.waiting.splice(0).length]
      case "commit":
      case "commitOffers": {
        const [lease, taken, ...offered] = args
        if (lease !== 0) this.#takeBack(Number(lease))
        state.waiting.splice(0, Number(taken))
        for (const value of offered) state.waiting.push({ place: state.offered++, value, attempts: 0 })
        return []
      }
      case "close":
        state.closed = true
        return []
      case "addProducer": {
        const replaces = state.emptyPlaces > 0
        if (replaces) state.emptyPlaces--
        state.producers.set(index, replaces)
        state.grants.set(index, { session: call.session, byReceipt: false })
        return [index]
      }
      case "endProducer":
        this.#endProducer(Number(args[0]), args[1] === 1 ? "lost" : "done")
        return []
    }
    return undefined
  }

  revoke(grant: number, reason: Withdrawal): void {
    if (this.#state.producers.has(grant)) return this.#endProducer(grant, reason === "cancelled" ? "never" : "lost")
    const item = this.#takeBack(grant)
    if (reason === "session ended") this.#failed(item, "the worker's session ended")
    else if (reason === "deadline") this.#failed(item, "the worker had it too long")
    else this.#putBack(item)
  }

  isPristine(): boolean {
    // Whether what was delivered has been received, nobody tells.
    const { closed, dead, leased, waiting } = this.#state
    return !closed && this.#state.producers.size === 0 && waiting.length === 0 && leased.size === 0 && dead.length === 0
  }

  state(): unknown {
    const { closed, dead, delivered, discarded, emptyPlaces, failed, finished, leased, producers, waiting } =
      this.#state
    const ends = [closed, failed, finished, emptyPlaces, [...producers]]
    return [ends, waiting, dead, discarded, [...leased], [...delivered]]
  }

  copy(): QueueModel {
    const { dead, delivered, grants, leased, producers, waiting } = this.#state
    return new QueueModel({
      ...this.#state,
      waiting: [...waiting],
      dead: [...dead],
      leased: new Map(leased),
      delivered: new Map(delivered),
      producers: new Map(producers),
      grants: new Map(grants)
    })
  }

  get #deliverable(): ReadonlyArray<Item> {
    return this.#isSuspended ? [] : this.#state.waiting
  }

  #isUnchanged(places: ReadonlyArray<Argument>): boolean {
    const items = this.#deliverable
    return places.every((place, i) => place === null ? items.length === i : items[i]?.place === place)
  }

  /** No item is there, or will come, once those that were delivered have been received. */
  get #isOver(): boolean {
    const { closed, leased, waiting } = this.#state
    return closed && waiting.length === 0 && leased.size === 0
  }

  get #end(): Answer {
    return this.#ifReceived({ error: this.#state.failed ? "ProducerLost" : "QueueClosed" })
  }

  /** Whether what was delivered has been received, nobody tells. */
  #ifReceived(answer: Answer): Answer {
    return this.#state.delivered.size === 0 ? answer : { isTimed: true }
  }

  #lookCommit([lease, taken, ...offered]: ReadonlyArray<Argument>, session: number): Answer | undefined {
    if (lease !== 0 && !holds(this, session, lease)) return notHeld
    if (Number(taken) > this.#deliverable.length) return { error: "Conflict" }
    if (offered.length === 0) return lease === 0 && taken === 0 ? { reply: [] } : undefined
    if (this.#state.closed) return { error: "QueueClosed" }
    if (offered.length > this.#state.capacity) return { error: "OverCapacity" }
    const room = this.#room + Number(taken) + (lease === 0 ? 0 : 1)
    return room < offered.length ? { error: "Full" } : { error: "Full", ifOthersWait: true }
  }

  get #room(): number {
    const { capacity, leased, waiting } = this.#state
    return capacity - waiting.length - leased.size
  }

  get #isSuspended(): boolean {
    const { dead, lettersMax, suspends } = this.#state
    return suspends && dead.length >= lettersMax
  }

  #deliver(to: Map<number, Item>, { index, session }: Call): Item | undefined {
    if (this.#isSuspended) return undefined
    const item = this.#state.waiting.shift()
    if (item === undefined) return undefined
    to.set(index, item)
    this.#state.grants.set(index, { session, byReceipt: to === this.#state.delivered })
    return item
  }

  #endProducer(producer: number, how: "done" | "lost" | "never"): void {
    const state = this.#state
    const replaces = state.producers.get(producer)!
    state.producers.delete(producer)
    state.grants.delete(producer)
    if (how === "done") state.finished = true
    else if (how === "lost" || replaces) state.emptyPlaces++
    if (state.closed || state.producers.size > 0 || !state.finished && state.emptyPlaces === 0) return
    state.closed = true
    state.failed = state.emptyPlaces > 0
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
    if (tried.attempts >= this.#state.attemptsMax) this.#bury(tried, reason)
    else this.#putBack(tried)
  }

  #bury(item: Item, reason: string): void {
    const { dead, lettersMax, suspends } = this.#state
    dead.push({ ...item, id: ++this.#state.died, reason })
    if (!suspends && dead.length > lettersMax) {
      dead.shift()
      this.#state.discarded++
    }
  }

  #exhume(letter: Argument | undefined): Argument {
    const { dead } = this.#state
    return dead.splice(dead.findIndex(({ id }) => id === letter), 1)[0]!.value
  }

  /** Letters while they fit, at least one; without its value one that does not fit alone. */
  #page([after, to, bytesMax]: ReadonlyArray<number>): Reply {
    const { dead, died } = this.#state
    const newest = Math.min(to!, died)
    const rows = dead.filter(({ id }) => id > after! && id <= newest).map(({ attempts, id, reason, value }) => [
      id,
      attempts,
      reason,
      bytesMaxOf(reason) + bytesMaxOf(value) > bytesMax! ? null : value
    ])
    const sizes = rows.map((row) => row.reduce<number>((sum, part) => sum + bytesMaxOf(part), 0))
    let fitting = 0
    for (let bytes = 0; fitting < rows.length; fitting++) {
      bytes += sizes[fitting]!
      if (bytes > bytesMax! && fitting > 0) break
    }
    return [newest, fitting < rows.length ? 1 : 0, ...rows.slice(0, fitting).flat()]
  }
}

/** An empty queue. */
export const makeQueue: MakeModel = (
  { attempts, capacity, deadLetterCapacity = Infinity, deadLetterStrategy, holdFor }
) =>
  new QueueModel({
    capacity: Number(capacity),
    attemptsMax: Number(attempts),
    lettersMax: Number(deadLetterCapacity),
    isBounded: holdFor !== undefined,
    suspends: deadLetterStrategy === "suspend",
    closed: false,
    offered: 0,
    waiting: [],
    dead: [],
    died: 0,
    discarded: 0,
    leased: new Map(),
    delivered: new Map(),
    producers: new Map(),
    emptyPlaces: 0,
    finished: false,
    failed: false,
    grants: new Map()
  })
