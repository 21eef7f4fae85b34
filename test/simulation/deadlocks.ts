/**
 * Random programs of bodies that hold several things at once, in three processes. A *ring* is of bodies of which each
 * holds something, then wants what the next one holds.
 */
import {
  type Manager,
  SharedBarrier,
  SharedCondition,
  SharedLock,
  SharedObject,
  SharedSemaphore
} from "@effect-multiprocessing/core"
import {
  type CallRecord,
  drawFaults,
  type FaultName,
  Random,
  simulateSeed,
  type Simulation
} from "@effect-multiprocessing/core/testing"
import { Effect, Fiber, type Scope } from "effect"
import { File } from "../support/ownKinds.ts"

type Work = Effect.Effect<unknown, unknown, Manager.Manager | Scope.Scope>

/** Runs a body while it holds something. */
type Hold = (body: Work) => Work

/** Something to hold, in one of several ways. */
interface Resource {
  /** Kind and name of its object, as messages have them. */
  readonly object: string
  /** Holds it in some way. */
  readonly hold: Hold
  /** Holds it in a way that excludes the first. */
  readonly want: Hold
}

const clients = 3

const opened = <A, E>(open: Effect.Effect<A, E, Manager.Manager | Scope.Scope>, hold: (object: A) => Hold): Hold => {
  return (body) => Effect.flatMap(open, (object) => hold(object)(body))
}

const lock = (name: string, options: SharedLock.Options = {}): Resource => {
  const hold = opened(SharedLock.make({ name, ...options }), ({ withLock }) => withLock)
  return { object: `Lock "${name}"`, hold, want: hold }
}

const permits = (name: string, permits: number, held: number, wanted: number): Resource => {
  const hold = (count: number) => opened(SharedSemaphore.make({ name, permits }), (slots) => slots.withPermits(count))
  return { object: `Semaphore "${name}"`, hold: hold(held), want: hold(wanted) }
}

const resource = (name: string, random: Random): Resource => {
  switch (random.below(5)) {
    case 0: {
      const all = 1 + random.below(3)
      const held = 1 + random.below(all)
      return permits(name, all, held, all - held + 1 + random.below(held))
    }
    case 1: {
      const hold = opened(SharedCondition.make({ name }), ({ withLock }) => withLock)
      return { object: `Condition "${name}"`, hold, want: hold }
    }
    case 2: {
      const open = SharedObject.make(File, { name })
      const read = opened(open, (file) => (body) => SharedObject.withHold(file.read, () => body))
      const write = opened(open, (file) => (body) => SharedObject.withHold(file.write, () => body))
      const [hold, want] = random.pick([[read, write], [write, read], [write, write]])
      return { object: `test/File "${name}"`, hold, want }
    }
    default:
      return lock(name)
  }
}

// ---------------------------------------------------------------------------------------------------------------
// programs
// ---------------------------------------------------------------------------------------------------------------

/** What runs at once, each in a fiber of one of the processes. */
type Fibers = ReadonlyArray<Work>

/** Around what a fiber does between the hold of one thing and that of another: nothing, or a hold of its own. */
const between = (name: string, random: Random): Hold =>
  random.chance(1 / 3) ? resource(name, random).hold : (body) => body

/** Waits for a number of bodies. */
const meeting = (parties: number, name = "all"): Work =>
  Effect.flatMap(SharedBarrier.make({ name, parties }), (barrier) => barrier.await)

/** A ring of some bodies. Each wants the next thing when it has met the others: each has its own then. `wanting` says how one of them does. */
const ring = (
  resources: ReadonlyArray<Resource>,
  random: Random,
  meet: Work,
  wanting: (member: number, want: Work) => Work = (_, want) => want
): Fibers =>
  resources.map(({ hold }, member) => {
    const [before, after] = [between(`before ${member}`, random), between(`after ${member}`, random)]
    const pause = Effect.sleep(random.pick([0, 1, 20]))
    const { want } = resources[(member + 1) % resources.length]!
    const next = Effect.andThen(Effect.andThen(meet, pause), after(wanting(member, want(pause))))
    return before(hold(next))
  })

const resources = (count: number, random: Random): ReadonlyArray<Resource> =>
  Array.from({ length: count }, (_, i) => resource(`${i}`, random))

/** Wants some of the things for a moment, now and then. */
const bystander = (all: ReadonlyArray<Resource>, random: Random): Work => {
  const { hold, want } = random.pick(all)
  const once = random.pick([hold, want])(Effect.sleep(1))
  const own = between(`of bystander ${random.below(1_000_000)}`, random)
  return Effect.andThen(Effect.sleep(random.pick([0, 5, 30])), own(once))
}

const bystanders = (all: ReadonlyArray<Resource>, random: Random): Fibers =>
  Array.from({ length: random.below(3) }, () => bystander(all, random))

/** A body goes on by itself, though it also wants something. */
const ways: ReadonlyArray<(want: Work) => Work> = [
  (want) => Effect.timeoutOption(want, 500),
  (want) => Effect.timeoutOption(lock("inner").hold(want), 500),
  (want) => lock("inner").hold(Effect.timeoutOption(want, 500)),
  (want) => Effect.raceFirst(want, Effect.sleep(500)),
  (want) => Effect.exit(Effect.all([want, Effect.andThen(Effect.sleep(500), Effect.fail("no"))], { concurrency: 2 })),
  (want) => Effect.andThen(Effect.forkChild(want), Effect.sleep(500)),
  (want) => Effect.flatMap(Effect.forkChild(want), (fiber) => Effect.andThen(Effect.sleep(500), Fiber.interrupt(fiber)))
]

/** A ring with a way out. */
const openRing = (random: Random): Fibers => {
  const count = 2 + random.below(3)
  const all = resources(count, random)
  const meet = meeting(count)
  switch (random.below(3)) {
    case 0: {
      // One of them may go on.
      const [free, way] = [random.below(count), random.pick(ways)]
      return [
        ...ring(all, random, meet, (member, want) => member === free ? way(want) : want),
        ...bystanders(all, random)
      ]
    }
    case 1: {
      // What one of them holds, or what is around it, ends by itself.
      const [first, ...others] = all
      const bounded = lock("bounded", { holdFor: 500 })
      const around = { ...first!, hold: (body: Work) => bounded.hold(first!.hold(body)) }
      // It may have ended before all have met.
      return ring([random.pick([bounded, around]), ...others], random, Effect.timeoutOption(meet, 60_000))
    }
    default: {
      // Another one holds a permit, too, and ends: by itself, or after one that does.
      const spare = permits("spare", 3, 1, 2)
      const [first, ...others] = [spare, ...all]
      const both = meeting(2, "both")
      const held = { ...first!, hold: (body: Work) => Effect.andThen(both, first!.hold(body)) }
      const busy = lock("busy").hold(Effect.sleep(500))
      const other = random.chance(1 / 2) ? Effect.sleep(500) : lock("busy").hold(Effect.void)
      return [...ring([held, ...others], random, meeting(count + 1)), busy, spare.hold(Effect.andThen(both, other))]
    }
  }
}

/** Bodies within bodies, by branches and forks: each wants only what comes after all that it holds. */
const ordered = (random: Random): Fibers => {
  const all = resources(5, random)
  const nest = (from: number): Work => {
    const at = from + random.below(3)
    if (at >= all.length) return Effect.sleep(random.pick([0, 1, 20]))
    const { hold, want } = all[at]!
    const inside = Array.from({ length: 1 + random.below(2) }, () => nest(at + 1))
    const way = random.pick<(inside: Fibers) => Work>([
      (inside) => Effect.all(inside),
      (inside) => Effect.all(inside, { concurrency: 2 }),
      ([one]) => Effect.flatMap(Effect.forkChild(one!), Fiber.join),
      ([one]) => Effect.timeoutOption(one!, 10)
    ])
    return random.pick([hold, want])(way(inside))
  }
  return Array.from({ length: 2 + random.below(5) }, () => nest(0))
}

// ---------------------------------------------------------------------------------------------------------------
// runs
// ---------------------------------------------------------------------------------------------------------------

const harmless: ReadonlyArray<FaultName> = ["delay", "split", "pause", "rush"]

/** Runs fibers in some of the processes, which fail by themselves. */
const simulate = (seed: number, fibers: Fibers, random: Random, faults?: ReadonlyArray<FaultName>): Simulation => {
  const of = fibers.map(() => random.below(clients))
  return simulateSeed((client) =>
    Effect.scoped(Effect.all(
      fibers.filter((_, i) => of[i] === client.number).map((work) => client.cancellable(Effect.scoped(work))),
      { concurrency: "unbounded" }
    )), { seed, clients, restarts: 0, ownKinds: [File], faults: drawFaults(random, 0, clients, 500, faults) })
}

/** The calls that were refused because of a deadlock. */
const refused = ({ history }: Simulation): ReadonlyArray<CallRecord> =>
  history.records.filter(({ outcome }) => outcome?._tag === "Failure" && outcome.error === "DeadlockDetected")

/** What is wrong with a run of a program in which nobody waits for ever. */
export const wrongWithout = (seed: number): ReadonlyArray<string> => {
  const random = new Random(seed)
  const isOrdered = random.chance(1 / 2)
  const run = simulate(seed, isOrdered ? ordered(random) : openRing(random), random, isOrdered ? undefined : harmless)
  return [...run.violations, ...refused(run).map(({ operation }) => `${operation} was refused, without a deadlock`)]
}

/** What is wrong with a run of a program in which some bodies wait for one another. */
export const wrongWith = (seed: number): ReadonlyArray<string> => {
  const random = new Random(seed)
  const all = resources(2 + random.below(4), random)
  const run = simulate(seed, [...ring(all, random, meeting(all.length)), ...bystanders(all, random)], random, harmless)
  const told = refused(run).map(({ outcome }) => namesIn(outcome))
  const expected = all.map(({ object }) => object).sort().join()
  return [
    ...run.violations,
    ...told.length === 1 ? [] : [`${told.length} calls were refused`],
    ...told.every((names) => names === expected) ? [] : [`the cycle is ${told.join(" and ")}, not ${expected}`]
  ]
}

/** The objects that a refusal names. */
const namesIn = (outcome: CallRecord["outcome"]): string => {
  const [, ...told] = outcome?._tag === "Failure" ? outcome.details : []
  return told.flatMap((kind, i) => i % 6 === 0 ? [`${String(kind)} "${String(told[i + 1])}"`] : []).sort().join()
}
