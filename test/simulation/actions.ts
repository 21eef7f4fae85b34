/**
 * What clients do: every operation of every kind, and the ways in which programs put them together. Each action draws
 * its details from its own choices, so that leaving one out changes no other.
 */
import type { condition as conditionKind } from "#core/engine/kinds/condition.ts"
import type { list as listKind } from "#core/engine/kinds/list.ts"
import type { queue as queueKind } from "#core/engine/kinds/queue.ts"
import type { map as mapKind, ref as refKind } from "#core/engine/kinds/record.ts"
import { cell } from "#core/engine/Value.ts"
import { pages } from "#core/proxy/pages.ts"
import * as Remote from "#core/proxy/Remote.ts"
import { type Shared, TypeId } from "#core/proxy/Remote.ts"
import { Manager, SharedLock, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import type { Client, Random } from "@effect-multiprocessing/core/testing"
import { Effect, Exit, Option, type Scope, Stream } from "effect"
import type { Ledger } from "./Ledger.ts"
import { Answers, type Objects, Tally } from "./objects.ts"

/** What an action finds. */
export interface Stage {
  readonly client: Client
  readonly ledger: Ledger
  readonly objects: Objects
  readonly random: Random
}

/** An action: whatever it fails with is its own affair, a defect is a bug. */
export type Action = (stage: Stage) => Effect.Effect<unknown, unknown, Manager.Manager | Scope.Scope>

const keys = ["a", "b", "c"]

/** Short enough that everything happens at once, long enough that something does. */
const soon = (random: Random) => random.pick([0, 1, 5, 50])

/** A while of work, in which others have their turn. */
const work = (random: Random) => random.chance(1 / 2) ? Effect.yieldNow : Effect.sleep(soon(random))

/** Waits as long as it takes, or a moment, or only for a few turns of the scheduler. */
const impatient = (random: Random) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<unknown, E, R> =>
  random.pick([
    self,
    Effect.timeoutOption(self, soon(random)),
    Effect.raceFirst(self, Effect.repeat(Effect.yieldNow, { times: random.below(30) }))
  ])

const read = <A, E>(changes: Stream.Stream<A, E>, random: Random) => {
  const pause = soon(random)
  return changes.pipe(
    Stream.take(1 + random.below(5)),
    Stream.mapEffect((change) => Effect.as(Effect.sleep(pause), change)),
    Stream.runDrain,
    Effect.timeoutOption(random.pick([20, 200]))
  )
}

/** What the proxies do not offer is called as they would. */
const queueRemote = (queue: Shared) => queue[TypeId] as Remote.Remote<typeof queueKind>
const conditionRemote = (condition: Shared) => condition[TypeId] as Remote.Remote<typeof conditionKind>
const listRemote = (list: Shared) => list[TypeId] as Remote.Remote<typeof listKind>
const mapRemote = (map: Shared) => map[TypeId] as Remote.Remote<typeof mapKind>
const recordRemote = (record: Shared) => record[TypeId] as Remote.Remote<typeof refKind>

/** Deletes an object, which only its administrator does. */
export const remove = (object: Shared) =>
  Effect.flatMap(
    Manager.Manager,
    ({ connection }) => Remote.directory(connection).call("delete", [object[TypeId].target.id], () => Exit.void)
  )

const queueActions: Record<string, Action> = {
  offer: ({ ledger, objects: { jobs }, random }) => impatient(random)(jobs.offer(ledger.item())),
  offerAll: ({ ledger, objects: { jobs }, random }) =>
    impatient(random)(jobs.offerAll([ledger.item(), ledger.item(), ledger.item()])),
  take: ({ client, ledger, objects: { jobs }, random }) =>
    impatient(random)(Effect.map(jobs.take, (item) => ledger.took(item, client))),
  process: ({ client, ledger, objects: { jobs }, random }) =>
    Effect.flatMap(
      jobs.process((item) => Effect.as(work(random), item)),
      (item) => Effect.sync(() => ledger.took(item, client))
    ),
  processAndFail: ({ objects: { jobs }, random }) =>
    jobs.process(() => Effect.andThen(work(random), Effect.fail("no"))),
  processAndCount: ({ objects: { counter, jobs }, random }) => impatient(random)(jobs.process(() => counter.increment)),
  /** An item that its readers cannot decode. */
  offerNonsense: ({ objects: { jobs } }) => queueRemote(jobs).call("offer", [cell("\"nonsense\"")], () => Exit.void),
  offerIfRoom: ({ ledger, objects: { jobs } }) => jobs.offerIfRoom(ledger.item()),
  poll: ({ client, ledger, objects: { jobs } }) =>
    Effect.map(jobs.poll, (item) => Option.isSome(item) && ledger.took(item.value, client)),
  clearJobs: ({ objects: { brief, jobs }, random }) => random.chance(1 / 4) ? jobs.clear : brief.clear,
  isFull: ({ objects: { brief } }) => Effect.andThen(brief.isFull, brief.isEmpty),
  untilNoJobs: ({ objects: { brief, jobs }, random }) =>
    impatient(random)(random.chance(1 / 2) ? jobs.untilEmpty : brief.untilEmpty),
  untilSettled: ({ objects: { brief, jobs }, random }) =>
    impatient(random)(random.chance(1 / 2) ? jobs.untilSettled : brief.untilSettled),
  lease: ({ client, ledger, objects: { jobs }, random }) =>
    impatient(random)(
      Effect.gen(function*() {
        const lease = yield* jobs.takeLease
        yield* work(random)
        if (random.chance(1 / 3)) return
        if (random.chance(1 / 3)) return yield* lease.nack("not this one")
        yield* lease.ack
        ledger.took(lease.item, client)
      }).pipe(Effect.scoped)
    ),
  size: ({ objects: { jobs } }) => jobs.size,
  deadLetters: ({ objects: { jobs } }) => jobs.deadLetters,
  brief: ({ ledger, objects: { brief }, random }) =>
    random.chance(1 / 2) ? brief.take : brief.offerAll([ledger.item(), ledger.item()]),
  close: ({ objects: { brief } }) => brief.close,
  remove: ({ objects: { brief, hatch }, random }) => remove(random.chance(1 / 2) ? brief : hatch)
}

const lockActions: Record<string, Action> = {
  write: ({ client, ledger, objects: { counter, gate, text }, random }) =>
    gate.withLock(
      Effect.gen(function*() {
        ledger.enter(client)
        const before = yield* counter.get
        yield* work(random)
        yield* Effect.all([counter.set(before + 1), text.set(String(before))], { concurrency: "unbounded" })
      }).pipe(Effect.ensuring(Effect.sync(() => ledger.leave(client))))
    ),
  lockSoon: ({ objects: { counter, gate }, random }) => impatient(random)(gate.withLock(counter.increment)),
  tryLock: ({ objects: { counter, gate } }) => gate.withLockIfAvailable(counter.increment),
  nest: ({ objects: { gate, hatch, scores }, random }) =>
    gate.withLock(hatch.withHold(({ token }) => Effect.andThen(work(random), scores.set("token", token)))),
  underHatch: ({ ledger, objects: { board, hatch, jobs }, random }) =>
    hatch.withLock(
      Effect.andThen(work(random), random.chance(1 / 2) ? board.set({ count: 1 }) : jobs.offer(ledger.item()))
    ),
  /** Waits for what never comes, until the lock is deleted under it. */
  hold: ({ objects: { counter, hatch } }) => hatch.withLock(counter.until((n) => n < 0)),
  reenter: ({ objects: { gate } }) => Effect.flip(gate.withLock(Effect.flip(gate.withLock(Effect.void)))),
  /** A fiber that outlives its lock: what it writes later is refused. */
  escape: ({ objects: { counter, gate, text }, random }) =>
    gate.withLock(Effect.andThen(
      Effect.forkDetach(Effect.andThen(Effect.sleep(soon(random)), text.set("escaped"))),
      counter.increment
    )),
  isHeld: ({ objects: { gate } }) => gate.isHeld,
  nameless: ({ objects: { text } }) => Effect.flatMap(SharedLock.make(), (lock) => lock.withLock(text.set("nameless")))
}

const semaphoreActions: Record<string, Action> = {
  permits: ({ client, ledger, objects: { counter, slots }, random }) => {
    const permits = 1 + random.below(3)
    return impatient(random)(
      slots.withPermits(permits)(
        Effect.acquireUseRelease(
          Effect.sync(() => ledger.occupy(client, permits, 3)),
          () => Effect.andThen(work(random), counter.increment),
          (leave) => Effect.sync(leave)
        )
      )
    )
  },
  permitsIfAvailable: ({ client, ledger, objects: { slots }, random }) => {
    const permits = random.below(3)
    return slots.withPermitsIfAvailable(permits)(
      Effect.acquireUseRelease(
        Effect.sync(() => ledger.occupy(client, permits, 3)),
        () => work(random),
        (leave) => Effect.sync(leave)
      )
    )
  },
  tooMany: ({ objects: { slots } }) => Effect.flip(slots.withPermits(4)(Effect.void)),
  permitsInside: ({ objects: { hatch, slots, text } }) => hatch.withLock(slots.withPermit(text.set("inside"))),
  available: ({ objects: { slots } }) => slots.available
}

const conditionActions: Record<string, Action> = {
  /** Puts something into the store and says so: to one, or to all. */
  supply: ({ objects: { bell, store }, random }) =>
    bell.withLock(Effect.andThen(store.increment, random.chance(1 / 2) ? bell.notify(1) : bell.notifyAll)),
  /** Takes something out of the store, and waits for it. Every other one gives up. */
  consume: ({ objects: { bell, store }, random }) => {
    const wait = bell.waitFor(Effect.map(store.get, (stock) => stock > 0))
    return bell.withLock(Effect.gen(function*() {
      const isThere = yield* impatient(random)(Effect.as(wait, true))
      if (Option.isOption(isThere) ? Option.isNone(isThere) : isThere !== true) return
      if ((yield* store.add(-1)) < 0) return yield* Effect.die(new Error("somebody woke up for nothing"))
    }))
  },
  /** Waits for whatever is said, perhaps more than once. */
  listen: ({ objects: { bell, text }, random }) =>
    impatient(random)(bell.withLock(
      Effect.repeat(
        Effect.flatMap(impatient(random)(bell.wait), () => text.set("heard")),
        { times: random.below(5) }
      )
    )),
  /** Leaves a notification to the next, as somebody does who is interrupted just when the lock comes back. */
  decline: ({ objects: { bell } }) =>
    bell.withLock(Effect.flatMap(
      bell.wait,
      ({ token }) => conditionRemote(bell).call("decline", [token], () => Exit.void)
    )),
  /** Notifies some, keeps the lock while they may go, and notifies another one. */
  ring: ({ objects: { bell }, random }) =>
    bell.withLock(Effect.gen(function*() {
      for (const most of [1, random.below(3), 1]) {
        yield* bell.notify(most)
        yield* Effect.sleep(soon(random))
      }
    })),
  tryBell: ({ objects: { bell } }) => bell.withLockIfAvailable(bell.notifyAll),
  isBellHeld: ({ objects: { bell } }) => bell.isHeld,
  waitWithout: ({ objects: { bell } }) => Effect.flip(bell.wait)
}

const recordActions: Record<string, Action> = {
  get: ({ objects: { counter } }) => counter.get,
  set: ({ objects: { counter }, random }) => counter.set(random.below(10)),
  add: ({ objects: { counter }, random }) => counter.add(random.below(5)),
  increment: ({ objects: { counter } }) => counter.increment,
  modify: ({ objects: { counter }, random }) => impatient(random)(counter.modify((n) => [n, n + 1])),
  update: ({ objects: { text }, random }) =>
    impatient(random)(text.update((value) => `${value}${random.below(10)}`.slice(-5))),
  /** As a namespace is read and written, which a ref is to the manager. */
  whole: ({ objects: { counter }, random }) => {
    const remote = recordRemote(counter)
    return random.chance(1 / 2)
      ? remote.call("entries", [], () => Exit.void)
      : remote.call("setAll", ["value", cell("7")], () => Exit.void)
  },
  until: ({ objects: { counter } }) => counter.until((n) => n % 3 === 0),
  untilEquals: ({ objects: { counter }, random }) => impatient(random)(counter.untilEquals(random.below(6))),
  untilAtLeast: ({ objects: { counter }, random }) => impatient(random)(counter.untilAtLeast(random.below(6))),
  untilAtMost: ({ objects: { counter }, random }) => impatient(random)(counter.untilAtMost(random.below(6))),
  watchCounter: ({ objects: { counter }, random }) => read(counter.changes, random),
  getAll: ({ objects: { board } }) => board.get,
  setAll: ({ objects: { board }, random }) => board.set({ running: random.chance(1 / 2), count: random.below(20) }),
  count: ({ objects: { board }, random }) => board.fields.count.add(random.below(15)),
  setField: ({ objects: { board }, random }) => board.fields.running.set(random.chance(1 / 2)),
  modifyCount: ({ objects: { board }, random }) =>
    impatient(random)(board.fields.count.modify((n) => [n, (n + 1) % 20])),
  untilRunning: ({ objects: { board }, random }) =>
    impatient(random)(board.fields.running.untilEquals(random.chance(1 / 2))),
  untilCount: ({ objects: { board }, random }) =>
    impatient(random)(
      random.chance(1 / 2) ? board.fields.count.untilAtLeast(15) : board.fields.count.untilAtMost(3)
    ),
  stopped: ({ objects: { board } }) => board.fields.running.until((running) => !running),
  watchBoard: ({ objects: { board }, random }) => read(board.changes, random)
}

const mapActions: Record<string, Action> = {
  getEntry: ({ objects: { scores }, random }) => scores.get(random.pick(keys)),
  has: ({ objects: { scores }, random }) => scores.has(random.pick(keys)),
  setEntry: ({ objects: { scores }, random }) => scores.set(random.pick(keys), random.below(10)),
  getOrSet: ({ objects: { scores }, random }) => scores.getOrSet(random.pick(keys), 0),
  removeEntry: ({ objects: { scores }, random }) => scores.remove(random.pick(keys)),
  modifyEntry: ({ objects: { scores }, random }) =>
    impatient(random)(scores.modify(random.pick(keys), (found) => {
      const next = Option.getOrElse(found, () => 0) + 1
      return [next, next > 3 ? Option.none() : Option.some(next)]
    })),
  addToEntry: ({ objects: { scores }, random }) => scores.add(random.pick(keys), random.below(3)),
  setEntries: ({ objects: { scores }, random }) => scores.setAll(keys.map((key) => [key, random.below(10)])),
  removeEntries: ({ objects: { scores }, random }) => scores.removeAll([random.pick(keys), random.pick(keys)]),
  removeLast: ({ objects: { scores } }) => scores.removeLast,
  clear: ({ objects: { scores } }) => scores.clear,
  keys: ({ objects: { scores } }) => scores.keys,
  values: ({ objects: { scores } }) => scores.values,
  stream: ({ objects: { scores }, random }) => {
    const slowly = Stream.mapEffect(pages(mapRemote(scores), (parts) => Exit.succeed(parts), 1), () => work(random))
    return impatient(random)(Stream.runDrain(slowly))
  },
  untilHas: ({ objects: { scores }, random }) => impatient(random)(scores.untilHas(random.pick(keys))),
  untilRemoved: ({ objects: { scores }, random }) => impatient(random)(scores.untilRemoved(random.pick(keys))),
  untilEntryEquals: ({ objects: { scores }, random }) => impatient(random)(scores.untilEquals(random.pick(keys), 3)),
  untilEntryAtLeast: ({ objects: { scores }, random }) => impatient(random)(scores.untilAtLeast(random.pick(keys), 3)),
  untilEntryAtMost: ({ objects: { scores }, random }) => impatient(random)(scores.untilAtMost(random.pick(keys), 1)),
  untilSize: ({ objects: { scores }, random }) =>
    impatient(random)(random.chance(1 / 2) ? scores.untilSizeAtLeast(2) : scores.untilSizeAtMost(1)),
  entries: ({ objects: { scores } }) => scores.entries,
  sizeOfMap: ({ objects: { scores } }) => scores.size,
  watchMap: ({ objects: { scores }, random }) => read(scores.changes, random),
  untilEmpty: ({ objects: { scores } }) => scores.until((entries) => entries.size === 0)
}

const signalActions: Record<string, Action> = {
  awaitGo: ({ objects: { go, text }, random }) => impatient(random)(go.whenOpen(text.set("go"))),
  openGo: ({ objects: { go } }) => go.open,
  closeGo: ({ objects: { go } }) => go.close,
  releaseGo: ({ objects: { go } }) => go.release,
  isOpen: ({ objects: { go } }) => go.isOpen,
  meet: ({ objects: { round } }) => round.await,
  meetSoon: ({ objects: { round }, random }) => impatient(random)(round.await),
  meetUnderGate: ({ objects: { gate, round }, random }) => impatient(random)(gate.withLock(round.await)),
  /** A fiber that waits on though its lock has ended. */
  meetEscaped: ({ objects: { hatch, round }, random }) =>
    hatch.withLock(Effect.forkDetach(impatient(random)(round.await))),
  party: ({ objects: { round }, random }) =>
    Effect.scoped(Effect.andThen(round.register, random.chance(1 / 2) ? round.await : work(random))),
  failingParty: ({ objects: { round }, random }) =>
    Effect.exit(Effect.scoped(Effect.all([round.register, work(random), Effect.fail("no")]))),
  abort: ({ objects: { round } }) => round.abort,
  reset: ({ objects: { round } }) => round.reset,
  status: ({ objects: { round } }) => round.status
}

/** Short lists, so that positions and values meet. */
const listActions: Record<string, Action> = {
  append: ({ objects: { lines }, random }) => lines.append(random.below(5)),
  appendAll: ({ objects: { lines }, random }) => lines.appendAll([random.below(5), 1, 2]),
  insert: ({ objects: { lines }, random }) => lines.insert(random.below(4) - 2, random.below(5)),
  setItem: ({ objects: { lines }, random }) => lines.set(random.below(4) - 2, random.below(5)),
  getItem: ({ objects: { lines }, random }) => lines.get(random.below(4) - 2),
  items: ({ objects: { lines }, random }) => random.chance(1 / 2) ? lines.toArray : lines.slice(1, -1),
  search: ({ objects: { lines }, random }) =>
    random.pick([lines.indexOf(random.below(5), 1), lines.includes(1), lines.count(2), lines.size]),
  pop: ({ objects: { lines }, random }) => impatient(random)(lines.pop),
  removeAt: ({ objects: { lines }, random }) => lines.removeAt(random.below(3)),
  removeItem: ({ objects: { lines }, random }) => lines.remove(random.below(5)),
  replaceSlice: ({ objects: { lines }, random }) => lines.replaceSlice(random.below(3), 2, [random.below(5)]),
  modifyItem: ({ objects: { lines }, random }) =>
    impatient(random)(lines.modifyAt(random.below(3) - 1, (n) => [n, n + 1])),
  reorder: ({ objects: { lines }, random }) => random.pick([lines.reverse, lines.sort, lines.sortDescending]),
  clearList: ({ objects: { lines } }) => lines.clear,
  streamList: ({ objects: { lines }, random }) =>
    impatient(random)(read(pages(listRemote(lines), (parts) => Exit.succeed(parts), 1), random)),
  /** So slowly that a reader may well die in the middle of it. */
  streamSlowly: ({ objects: { lines, scores }, random }) => {
    const remote = random.chance(1 / 2) ? listRemote(lines) : mapRemote(scores)
    return Stream.runDrain(Stream.mapEffect(pages(remote, (parts) => Exit.succeed(parts), 1), () => Effect.sleep(500)))
  },
  watchList: ({ objects: { lines }, random }) => read(lines.changes, random),
  untilShort: ({ objects: { lines } }) => lines.until((items) => items.length < 2),
  shelve: ({ objects: { shelf } }) => Effect.flatMap(SharedRef.make(Tally), shelf.append),
  unshelve: ({ objects: { shelf }, random }) =>
    Effect.flatMap(
      random.chance(1 / 2) ? shelf.pop : shelf.get(0),
      Option.match({
        onNone: () => Effect.void,
        onSome: (tally) => tally.increment
      })
    ),
  streamShelf: ({ objects: { shelf }, random }) =>
    read(pages(listRemote(shelf), (parts) => Exit.succeed(parts), 1), random)
}

const arrayActions: Record<string, Action> = {
  addTo: ({ objects: { gauges }, random }) => gauges.add(random.below(3), random.below(150) - 50),
  addSlice: ({ objects: { gauges }, random }) => gauges.addSlice(1, [random.below(20), random.below(20)]),
  setElement: ({ objects: { gauges }, random }) => gauges.set(random.below(4) - 2, random.below(256)),
  setSlice: ({ objects: { gauges }, random }) => gauges.setSlice(random.below(3), [1, random.below(300)]),
  fill: ({ objects: { gauges }, random }) => gauges.fill(random.below(9), random.below(2)),
  modifyElement: ({ objects: { gauges }, random }) =>
    impatient(random)(gauges.modifyAt(random.below(2), (n) => [n, (n + 1) % 256])),
  elements: ({ objects: { gauges }, random }) =>
    random.pick<Effect.Effect<unknown, unknown>>([gauges.toArray, gauges.get(random.below(4)), gauges.length])
}

const noteActions: Record<string, Action> = {
  note: ({ objects: { notes }, random }) => notes.field(random.pick(keys)).set(random.below(10)),
  noteAll: ({ objects: { notes }, random }) => notes.set({ a: random.below(10), _b: random.below(10) }),
  readNote: ({ objects: { notes }, random }) => notes.field(random.pick(keys)).get,
  readNotes: ({ objects: { notes } }) => Effect.andThen(notes.names, notes.get),
  countNote: ({ objects: { notes }, random }) => notes.field(random.pick(keys)).add(random.below(3)),
  modifyNote: ({ objects: { notes }, random }) =>
    impatient(random)(notes.field(random.pick(keys)).modify((n) => [n, Option.map(n, (n) => n + 1)])),
  removeNote: ({ objects: { notes }, random }) => notes.field(random.pick(keys)).remove,
  clearNotes: ({ objects: { notes } }) => notes.clear,
  awaitNote: ({ objects: { notes }, random }) => impatient(random)(notes.field(random.pick(keys)).untilSet),
  watchNote: ({ objects: { notes }, random }) => read(notes.field(random.pick(keys)).changes, random),
  /** As a map is used, which it is to the manager. */
  notesAsMap: ({ objects: { notes }, random }) => {
    const remote = mapRemote(notes)
    const key = random.pick(keys)
    return impatient(random)(random.pick<Effect.Effect<unknown, unknown>>([
      remote.call("has", [key], () => Exit.void),
      remote.call("size", [], () => Exit.void),
      remote.call("values", [], () => Exit.void),
      remote.call("setIfAbsent", [key, cell("7")], () => Exit.void),
      remote.call("removeAll", [key], () => Exit.void),
      remote.call("removeLast", [], () => Exit.void),
      remote.call("untilSize", [0, 1], () => Exit.void),
      Stream.runDrain(pages(remote, (parts) => Exit.succeed(parts), 1))
    ]))
  },
  awaitNoteValue: ({ objects: { notes }, random }) => {
    const note = notes.field(random.pick(keys))
    return impatient(random)(random.pick<Effect.Effect<unknown, unknown>>([
      note.untilRemoved,
      note.untilEquals(1),
      note.untilAtLeast(1),
      note.untilAtMost(1)
    ]))
  },
  watchNotes: ({ objects: { notes }, random }) => read(notes.changes, random)
}

const handleActions: Record<string, Action> = {
  /** Sends the handle of a nameless queue, and waits for what somebody puts into it. */
  ask: ({ ledger, objects: { mail }, random }) =>
    Effect.gen(function*() {
      const answer = yield* SharedQueue.make(Answers)
      yield* mail.offer({ number: ledger.item(), answer })
      yield* Effect.timeoutOption(answer.take, random.pick([5, 50, 500]))
    }),
  reply: ({ objects: { mail }, random }) =>
    impatient(random)(mail.process(({ answer, number }) => answer.offer(number))),
  takeMail: ({ objects: { mail }, random }) =>
    impatient(random)(Effect.flatMap(mail.take, ({ answer }) => answer.offer(0))),
  leaveTally: ({ objects: { desk }, random }) =>
    Effect.flatMap(SharedRef.make(Tally), (tally) => desk.set(random.below(2), tally)),
  countTally: ({ objects: { desk }, random }) =>
    Effect.flatMap(
      desk.get(random.below(2)),
      Option.match({
        onNone: () => Effect.void,
        onSome: (tally) => tally.increment
      })
    ),
  removeTally: ({ objects: { desk }, random }) => desk.remove(random.below(2)),
  watchDesk: ({ objects: { desk }, random }) => read(desk.changes, random),
  passingName: ({ random }) =>
    Effect.flatMap(
      SharedQueue.make({ ...Answers, name: `passing ${random.below(2)}` }),
      (queue) => random.chance(1 / 2) ? queue.size : Effect.andThen(queue.offer(1), queue.take)
    ),
  inspect: () => Effect.flatMap(Manager.Manager, ({ inspect }) => inspect)
}

/** Every action by its name. */
export const actions: Readonly<Record<string, Action>> = {
  ...queueActions,
  ...lockActions,
  ...semaphoreActions,
  ...conditionActions,
  ...recordActions,
  ...mapActions,
  ...signalActions,
  ...listActions,
  ...arrayActions,
  ...noteActions,
  ...handleActions
}

/** Names of actions that get into each other's way. */
export const themes: ReadonlyArray<ReadonlyArray<string>> = [
  ...[
    queueActions,
    lockActions,
    semaphoreActions,
    conditionActions,
    recordActions,
    mapActions,
    signalActions,
    listActions,
    arrayActions,
    noteActions,
    handleActions
  ].map((theme) => Object.keys(theme)),
  ["take", "offer", "process", "lease"],
  ["take", "offerAll"],
  ["awaitGo", "openGo", "closeGo", "releaseGo"],
  ["meet", "meetSoon", "reset"],
  ["meet", "party", "reset"],
  ["offerAll", "offerIfRoom", "poll", "process", "clearJobs", "untilNoJobs", "untilSettled"],
  ["lockSoon"],
  ["modify", "increment"],
  ["modifyCount", "setField"],
  ["modifyItem", "appendAll", "removeAt"],
  ["streamList", "appendAll", "removeAt"],
  ["streamSlowly", "appendAll", "setEntries"],
  ["modifyElement", "addTo", "addSlice"],
  ["modifyEntry", "setEntry"],
  ["addToEntry", "setEntries", "clear", "untilHas", "untilRemoved", "untilSize", "untilEntryAtLeast"],
  ["add", "set", "untilEquals", "untilAtLeast", "untilAtMost"],
  ["modifyNote", "countNote", "notesAsMap"],
  ["permits", "available"],
  ["permits", "permitsIfAvailable", "available"],
  ["supply", "consume"],
  ["listen", "ring"],
  ["listen", "ring", "supply"],
  ["listen", "decline", "ring"]
]
