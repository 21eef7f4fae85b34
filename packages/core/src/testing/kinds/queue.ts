/** First in, first out; what comes back goes to its old place, and what fails too often to the dead letters. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { queue as kind } from "../../engine/kinds/queue.ts"
import { cell } from "../../engine/Value.ts"
import { letters } from "../../proxy/letters.ts"
import * as SharedQueue from "../../SharedQueue.ts"
import * as Transaction from "../../Transaction.ts"
import { type Actor, lateRound } from "../Workload.ts"
import { Handle, makeHandle } from "./handle.ts"
import { makeQueue } from "./queueModel.ts"
import { remoteOf, specimen } from "./Specimen.ts"

/** Takes an item for good. */
const take = (jobs: SharedQueue.SharedQueue<number>, { client, ledger }: Actor) =>
  Effect.map(jobs.take, (item) => ledger.took(item, client))

/** Refuses an item if the queue is not closed, and then retries or drops some dead letters. */
const tidy = <A>(queue: SharedQueue.SharedQueue<A>, item: A, { impatiently, random }: Actor) =>
  Effect.gen(function*() {
    yield* Effect.ignore(queue.offerIfRoom(item))
    yield* Effect.ignore(impatiently(Effect.scoped(Effect.flatMap(queue.takeLease, ({ nack }) => nack("no")))))
    for (const { drop, retry } of yield* queue.deadLetters) {
      yield* random.pick<Effect.Effect<unknown, unknown>>([drop, impatiently(retry), Effect.void])
    }
  })

/** The specimen of `Queue`. */
export const queue = specimen({
  kind,
  model: makeQueue,
  harmless: {
    "offerAll/overtakes": "while a call waits for room there is none, but for calls that take effect together",
    "commitOffers/overtakes": "while a call waits for room there is none, but for calls that take effect together",
    "untilRoom/overtakes": "while a call waits for room there is none, but for calls that take effect together",
    "poll/overtakes": "while a call waits for an item there is none, but for calls that take effect together"
  },
  samples: {
    /** So small that putters wait, and soon full of dead letters. */
    jobs: (name) => SharedQueue.make({ name, item: Schema.Int, capacity: 2, attempts: 2, deadLetterCapacity: 2 }),
    /** Closed in the middle of everything. */
    brief: (name) =>
      SharedQueue.make({
        name,
        item: Schema.Int,
        capacity: 1,
        attempts: 1,
        deadLetterCapacity: 1,
        deadLetterStrategy: "suspend"
      }),
    /** Closed when its producers have ended. Nobody may have an item for long. */
    feed: (name) => SharedQueue.make({ name, item: Schema.Int, capacity: 2, holdFor: "4 minutes" }),
    mail: (name) => SharedQueue.make({ name, item: Handle, capacity: 2, attempts: 1, deadLetterCapacity: 1 })
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
    lease: ({ jobs }, { client, impatiently, ledger, random, sleep, work }) =>
      impatiently(
        Effect.gen(function*() {
          const lease = yield* jobs.takeLease
          // Now and then so slowly that the worker may well die meanwhile.
          yield* random.chance(1 / 4) ? sleep(500) : work()
          if (random.chance(1 / 3)) return
          if (random.chance(1 / 3)) return yield* lease.nack("not this one")
          yield* lease.ack
          ledger.took(lease.item, client)
        }).pipe(Effect.scoped)
      ),
    /** Waits now and then for room that only its own end makes. */
    feedItself: ({ jobs }, { client, impatiently, ledger }) =>
      impatiently(Effect.map(
        jobs.process((item) => Effect.as(jobs.offer(ledger.item()), item)),
        (item) => ledger.took(item, client)
      )),
    /** Takes an item for good, and offers others. */
    transact: ({ brief, jobs }, { client, impatiently, ledger, random, work }) => {
      const queue = random.chance(3 / 4) ? jobs : brief
      return impatiently(Effect.map(
        Transaction.tx(Effect.gen(function*() {
          const taken = random.chance(1 / 2) ? Option.some(yield* queue.tx.take) : yield* queue.tx.poll
          yield* work()
          for (let i = random.below(3); i > 0; i--) yield* queue.tx.offer(ledger.item())
          return taken
        })),
        (taken) => queue === jobs && Option.isSome(taken) && ledger.took(taken.value, client)
      ))
    },
    /** Calls of transactions, one by one. */
    asTransaction: ({ jobs }, { impatiently, ledger, random }) => {
      const remote = remoteOf(jobs, kind)
      return impatiently(random.pick<Effect.Effect<unknown, unknown>>([
        remote.call("check", [null], () => Exit.void),
        remote.call("commit", [0, 1], () => Exit.void),
        remote.call("commitOffers", [0, 0, cell(JSON.stringify(ledger.item()))], () => Exit.void),
        remote.call("untilRoom", [1], () => Exit.void)
      ]))
    },
    processTx: ({ jobs }, { client, impatiently, ledger, random, work }) =>
      impatiently(Effect.map(
        jobs.processTx((item) =>
          Effect.gen(function*() {
            yield* work()
            if (random.chance(1 / 4)) return yield* Effect.fail("no")
            if (random.chance(1 / 2)) yield* jobs.tx.offer(ledger.item())
            return item
          })
        ),
        (item) => ledger.took(item, client)
      )),
    clear: ({ brief, jobs }, { random }) => random.chance(1 / 4) ? jobs.clear : brief.clear,
    size: ({ jobs }) => jobs.size,
    isFull: ({ brief }) => Effect.andThen(brief.isFull, brief.isEmpty),
    untilEmpty: ({ brief, jobs }, { impatiently, random }) =>
      impatiently(random.chance(1 / 2) ? jobs.untilEmpty : brief.untilEmpty),
    untilSettled: ({ brief, jobs }, { impatiently, random }) =>
      impatiently(random.chance(1 / 2) ? jobs.untilSettled : brief.untilSettled),
    deadLetters: ({ jobs }) => Effect.andThen(jobs.deadLetters, jobs.deadLetterCounts),
    /** So slowly that others drop what is still to be read. */
    readLetters: ({ jobs }, { work }) => Stream.runForEach(letters(remoteOf(jobs, kind), 1), work),
    /** One that may have been there, or may never be. */
    anyLetter: ({ jobs }, { impatiently, random }) => {
      const remote = remoteOf(jobs, kind)
      const id = 1 + random.below(6)
      return random.chance(1 / 2)
        ? remote.call("deadLetter", [id], () => Exit.void)
        : impatiently(remote.call("retry", [id], () => Exit.void))
    },
    tidy: ({ jobs }, actor) => tidy(jobs, actor.ledger.item(), actor),
    tidyBrief: ({ brief }, actor) => tidy(brief, actor.ledger.item(), actor),
    tidyMail: ({ mail }, actor) => Effect.flatMap(makeHandle, (handle) => tidy(mail, handle, actor)),
    brief: ({ brief }, { ledger, random, work }) =>
      random.pick<Effect.Effect<unknown, unknown>>([
        brief.take,
        brief.poll,
        brief.process(() => Effect.andThen(work(), Effect.fail("no"))),
        brief.offerAll([ledger.item(), ledger.item()])
      ]),
    close: ({ brief }) => brief.close,
    /** Sometimes until it dies; sometimes its scope fails. */
    produce: ({ feed }, { impatiently, ledger, random, sleep, work }) =>
      impatiently(
        Effect.scoped(Effect.gen(function*() {
          yield* feed.producer
          yield* feed.offerIfRoom(ledger.item())
          yield* random.chance(1 / 3) ? sleep(500) : work()
          if (random.chance(1 / 4)) return yield* Effect.fail("no more")
        }))
      ),
    readFeed: ({ feed }, { impatiently }) => impatiently(Stream.runDrain(feed.stream)),
    /** Until the item is lost. */
    ponder: ({ feed }, { overstay }) => feed.process(overstay),
    /** Longer than it may: the lease is given back after it was lost, which interrupts nothing. */
    keep: ({ feed }, { sleep }) => Effect.scoped(Effect.andThen(feed.takeLease, sleep(300_000))),
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
  help: ({ brief, feed, jobs, mail }, actor, round) => [
    Effect.suspend(() => jobs.offer(actor.ledger.item())),
    take(jobs, actor),
    mail.take,
    Effect.flatMap(makeHandle, mail.offer),
    brief.clear,
    brief.close,
    feed.close,
    ...round < lateRound ? [] : [jobs.close, jobs.clear, mail.close, mail.clear]
  ]
})
