/**
 * What programs do with objects of several kinds at once. What clients do with one kind alone is in its specimen.
 */
import { type AnyWorkload, lateRound, workload } from "#core/testing/Workload.ts"
import {
  Manager,
  SharedBarrier,
  SharedCondition,
  SharedLock,
  SharedMap,
  SharedQueue,
  SharedRef,
  SharedSemaphore,
  Transaction
} from "@effect-multiprocessing/core"
import { Effect, Option, Schema, Stream } from "effect"

const Answers = { item: Schema.Int }

const Question = Schema.Struct({ number: Schema.Int, answer: SharedQueue.schema(Schema.Int) })

/** Several kinds under one lock. */
const guarded = workload({
  samples: {
    gate: (name) => SharedLock.make({ name }),
    slots: (name) => SharedSemaphore.make({ name, permits: 2 }),
    round: (name) => SharedBarrier.make({ name, parties: 2 }),
    jobs: (name) => SharedQueue.make({ name, item: Schema.Int, capacity: 2 }),
    scores: (name) => SharedMap.make({ name, key: Schema.String, value: Schema.Int }),
    counter: (name) => SharedRef.make({ name, schema: Schema.Int, initial: 0 }),
    text: (name) => SharedRef.make({ name, schema: Schema.String, initial: "" })
  },
  actions: {
    write: ({ counter, gate, text }, { client, ledger, work }) =>
      gate.withLock(Effect.acquireUseRelease(
        Effect.sync(() => ledger.occupy(gate, client, 1, 1)),
        () =>
          Effect.gen(function*() {
            const before = yield* counter.get
            yield* work()
            yield* Effect.all([counter.set(before + 1), text.set(String(before))], { concurrency: "unbounded" })
          }),
        (leave) => Effect.sync(leave)
      )),
    /** Soon over: the lock comes back while others are still interrupted on their way to it. */
    count: ({ counter, gate }, { impatiently }) => impatiently(gate.withLock(counter.increment)),
    countIfAvailable: ({ counter, gate }) => gate.withLockIfAvailable(counter.increment),
    useToken: ({ gate, scores }) => gate.withHold(({ token }) => scores.set("token", token)),
    offer: ({ gate, jobs }, { ledger }) => gate.withLock(jobs.offer(ledger.item())),
    processAndCount: ({ counter, jobs }, { impatiently }) => impatiently(jobs.process(() => counter.increment)),
    permits: ({ gate, slots, text }) => gate.withLock(slots.withPermit(text.set("inside"))),
    meet: ({ gate, round }, { impatiently }) => impatiently(gate.withLock(round.await)),
    /** A fiber that waits on though its lock has ended. */
    meetEscaped: ({ gate, round }, { impatiently }) => gate.withLock(Effect.forkDetach(impatiently(round.await))),
    /** A fiber that outlives its lock: what it writes later is refused. */
    escape: ({ counter, gate, text }, { soon }) =>
      gate.withLock(Effect.andThen(
        Effect.forkDetach(Effect.andThen(Effect.sleep(soon()), text.set("escaped"))),
        counter.increment
      )),
    nameless: ({ text }) => Effect.flatMap(SharedLock.make(), (lock) => lock.withLock(text.set("nameless")))
  },
  help: ({ jobs, round: barrier }, _, round) => [
    round % 2 === 0 ? barrier.await : barrier.reset,
    jobs.clear,
    ...round < lateRound ? [] : [jobs.close]
  ]
})

/** A store, and a condition at which those wait that find nothing in it. */
const store = workload({
  samples: {
    bell: (name) => SharedCondition.make({ name }),
    stock: (name) => SharedRef.make({ name, schema: Schema.Int, initial: 0 }),
    text: (name) => SharedRef.make({ name, schema: Schema.String, initial: "" })
  },
  actions: {
    /** Puts something into the store and notifies one, or all. */
    supply: ({ bell, stock }, { random }) =>
      bell.withLock(Effect.andThen(stock.increment, random.chance(1 / 2) ? bell.notify(1) : bell.notifyAll)),
    /** Waits for something in the store and takes it. Some give up. */
    consume: ({ bell, stock }, { impatiently }) => {
      const wait = bell.waitFor(Effect.map(stock.get, (stock) => stock > 0))
      return bell.withLock(Effect.gen(function*() {
        const isThere = yield* impatiently(Effect.as(wait, true))
        if (Option.isOption(isThere) ? Option.isNone(isThere) : isThere !== true) return
        if ((yield* stock.add(-1)) < 0) return yield* Effect.die(new Error("a waiter woke up for nothing"))
      }))
    },
    /** Waits for whatever comes, perhaps more than once, and writes. */
    listen: ({ bell, text }, { impatiently, random }) =>
      impatiently(bell.withLock(
        Effect.repeat(
          Effect.flatMap(impatiently(bell.wait), () => text.set("heard")),
          { times: random.below(5) }
        )
      ))
  },
  help: ({ bell, stock }) => [bell.withLock(Effect.andThen(stock.add(5), bell.notifyAll))]
})

/** Questions that bear the queues to which the answers go. */
const mail = workload({
  samples: { mail: (name) => SharedQueue.make({ name, item: Question, capacity: 2, attempts: 2 }) },
  actions: {
    /** Sends the handle of a nameless queue, and waits for what comes into it. One that has gone leaves nobody waiting. */
    ask: ({ mail }, { ledger, random }) =>
      Effect.gen(function*() {
        const answer = yield* SharedQueue.make(Answers)
        yield* mail.offer({ number: ledger.item(), answer })
        yield* Effect.timeoutOption(answer.take, random.pick([5, 50, 500]))
      }),
    reply: ({ mail }, { impatiently }) => impatiently(mail.process(({ answer, number }) => answer.offer(number))),
    take: ({ mail }, { impatiently }) => impatiently(Effect.flatMap(mail.take, ({ answer }) => answer.offer(0)))
  },
  help: ({ mail }, _, round) => [mail.take, ...round < lateRound ? [] : [mail.close]]
})

/** Calls that take effect together, and wait together. */
const together = workload({
  samples: {
    left: (name) => SharedRef.make({ name, schema: Schema.Int, initial: 0 }),
    right: (name) => SharedRef.make({ name, schema: Schema.Int, initial: 0 }),
    jobs: (name) => SharedQueue.make({ name, item: Schema.Int, capacity: 1 }),
    log: (name) => SharedQueue.make({ name, item: Schema.Int, capacity: 2 })
  },
  actions: {
    transfer: ({ left, right }, { impatiently, random }) => {
      const amount = random.below(9)
      return impatiently(Manager.atomic([left.add(-amount), right.add(amount)]))
    },
    sum: ({ left, right }) => Manager.atomic([left.get, right.get]),
    offerBoth: ({ jobs, log }, { impatiently, ledger }) => {
      const item = ledger.item()
      return impatiently(Manager.atomic([jobs.offer(item), log.offer(item)]))
    },
    offerBothAcross: ({ jobs, left, log, right }, { impatiently, ledger }) =>
      impatiently(Manager.atomic([log.offer(ledger.item()), left.add(1), right.add(-1), jobs.offer(ledger.item())])),
    offerOne: ({ jobs }, { impatiently, ledger }) => impatiently(jobs.offer(ledger.item())),
    untilBothEmpty: ({ jobs, log }, { impatiently }) => impatiently(Manager.atomic([jobs.untilEmpty, log.untilEmpty])),
    take: ({ jobs, log }, { impatiently, random }) => impatiently(random.chance(1 / 2) ? jobs.take : log.take)
  },
  help: ({ jobs, log }, _, round) => [jobs.clear, log.clear, ...round < lateRound ? [] : [jobs.close, log.close]]
})

/** The directory itself. */
const directory = workload({
  samples: {},
  actions: {
    passingName: (_, { random }) =>
      Effect.flatMap(
        SharedQueue.make({ ...Answers, name: `passing ${random.below(2)}` }),
        (queue) => random.chance(1 / 2) ? queue.size : Effect.andThen(queue.offer(1), queue.take)
      ),
    inspect: () => Effect.flatMap(Manager.Manager, ({ inspect }) => inspect),
    list: () =>
      Effect.flatMap(Manager.Manager, ({ counts, holders, objects, sessions, waiters }) =>
        Effect.all([
          counts,
          Stream.runDrain(sessions),
          Stream.runForEach(objects, (object) => Stream.runDrain(Stream.concat(holders(object), waiters(object))))
        ])),
    watch: (_, { watch }) => Effect.flatMap(Manager.Manager, ({ changes }) => watch(changes))
  }
})

/** Whether one of two refs was removed, and began anew at 0: else their sum is 0 in whatever a body sees. */
const oneIsNew = (left: number, right: number): Effect.Effect<boolean> => {
  if (left + right === 0) return Effect.succeed(false)
  return left === 0 || right === 0
    ? Effect.succeed(true)
    : Effect.die(new Error(`a body saw ${left} and ${right}`))
}

/** Transactions of two objects, whose sum is always 0. */
const transactions = workload({
  samples: {
    left: (name) => SharedRef.make({ name, schema: Schema.Int, initial: 0 }),
    right: (name) => SharedRef.make({ name, schema: Schema.Int, initial: 0 }),
    /** Whether two are on duty: at least one is. */
    one: (name) => SharedRef.make({ name, schema: Schema.Int, initial: 1 }),
    other: (name) => SharedRef.make({ name, schema: Schema.Int, initial: 1 })
  },
  actions: {
    /** Writes one of two values by what it has read of both: two that do so at once, unchecked, leave nobody on duty. */
    relieve: ({ one, other }, { impatiently, random, work }) => {
      const isOne = random.chance(1 / 2)
      return impatiently(Transaction.tx(Effect.gen(function*() {
        const [first, second] = [yield* one.tx.get, yield* other.tx.get]
        if (first + second === 0) return yield* Effect.die("nobody is on duty")
        yield* work()
        yield* (isOne ? one : other).tx.set(first + second === 2 ? 0 : 1)
      })))
    },
    move: ({ left, right }, { impatiently, random, work }) => {
      const amount = 1 + random.below(3)
      return impatiently(Transaction.tx(Effect.gen(function*() {
        const [before, after] = [yield* left.tx.get, yield* right.tx.get]
        const isNew = yield* oneIsNew(before, after)
        yield* work()
        yield* left.tx.set(isNew ? 0 : before - amount)
        yield* right.tx.set(isNew ? 0 : after + amount)
      })))
    },
    look: ({ left, right }, { impatiently, work }) =>
      impatiently(Transaction.tx(Effect.gen(function*() {
        const before = yield* left.tx.get
        yield* work()
        if (yield* oneIsNew(before, yield* right.tx.get)) return
        if (before > -3) return yield* Transaction.txRetry
      })))
  },
  help: ({ left, right }) => [
    Transaction.tx(Effect.andThen(left.tx.update((n) => n - 1), right.tx.update((n) => n + 1)))
  ]
})

/** Every scenario by its name. */
export const scenarios: Readonly<Record<string, AnyWorkload>> = {
  guarded,
  store,
  mail,
  together,
  transactions,
  directory
}
