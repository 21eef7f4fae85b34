/**
 * A random walk over an engine. A command is a few numbers, so that a failing walk can be shrunk and replayed. Their
 * meaning depends on the state of the engine: most of them are sensible calls, and some are nonsense.
 */
import type { Rights } from "#core/engine/Inputs.ts"
import * as Lane from "#core/engine/Lane.ts"
import type { Operation } from "#core/engine/Operation.ts"
import { type Argument, bytesCell, type ObjectId } from "#core/engine/Value.ts"
import { Random } from "#core/testing/Random.ts"
import { Arbitrary, Schema } from "effect"
import { type Client, EngineHarness, handleOf, value } from "./EngineHarness.ts"
import { drawOpening, words } from "./openings.ts"

/** The number of an action, below 100; the number of a client, below 3; the seed of all other choices. */
type Command = readonly [what: number, who: number, seed: number]

const int = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))

/** The commands of a program. */
export const commands = Arbitrary.array(
  Arbitrary.schema(Schema.Tuple([int(99), int(2), int(0xffff_ffff)])),
  { maxLength: 600 }
)

/** Runs a program. */
export const run = (list: ReadonlyArray<Command>, reuses = false): RandomProgram => {
  const program = new RandomProgram(reuses)
  list.forEach(program.run)
  return program
}

/** Small enough that walks reach each limit. */
const limits = {
  objectsMax: 40,
  objectsPerSessionMax: 30,
  waitersPerObjectMax: 6,
  watchersPerObjectMax: 3,
  nameLengthMax: 8,
  guardMax: 2,
  traceEveryDrops: 1
}

/** Of the first two clients. The third has none. */
const grace = { milliseconds: 5_000, secretHash: "hash" }

/** Of the third client. Most often it is an owner's. */
const rights: ReadonlyArray<Rights | undefined> = [
  undefined,
  undefined,
  { role: "client", names: ["a", "b"] },
  { role: "observer", names: undefined }
]

const nonsense: ReadonlyArray<Argument> = [null, -1, 0.5, NaN, Infinity, "", "field", "__proto__", value(1)]

/** An engine and its clients. `run` makes the next step. */
export class RandomProgram {
  readonly harness = new EngineHarness(limits)
  readonly #clients = new Map<number, Client>()
  readonly #reuses: boolean
  #now = 0

  /** `reuses`: clients break the protocol and use sequences twice. */
  constructor(reuses = false) {
    this.#reuses = reuses
  }

  readonly run = ([what, who, seed]: Command): void => {
    const random = new Random(seed)
    const client = this.#clients.get(who)
    if (client === undefined) this.#clients.set(who, this.#open(who, random))
    else if (what < 10) this.#make(client, random)
    else if (what < 68) this.#call(client, random)
    else if (what < 74) client.cancel(this.#sequence(client, random))
    else if (what < 82) this.#acknowledge(client, random)
    else if (what < 87) client.drop(this.#object(random), random.pick([1, 1, 2, 1e15]))
    else if (what < 90) client.watch(this.#object(random), random.below(3))
    else if (what < 92) client.credit(this.#sequence(client, random), random.below(3))
    else if (what < 93) client.unwatch(this.#sequence(client, random))
    else if (what < 94) client.congestion(random.chance(0.5))
    else if (what < 96) this.harness.time(this.#now += random.pick([-5, 0, 1, 2_500, 5_000]))
    else if (what < 97) client.unlink()
    else if (what < 98) this.#resume(client, random)
    else client.end()
    const { sessions } = this.harness.engine.state
    for (const [who, { session }] of this.#clients) if (!sessions.has(session)) this.#clients.delete(who)
  }

  /** The last client may be no owner. */
  #open(who: number, random: Random): Client {
    return who === 2 ? this.harness.open(undefined, random.pick(rights)) : this.harness.open(grace)
  }

  /** Ends every session, and then drops one more reference, because the engine searches for cycles then (S-23). */
  endAll(): void {
    for (const client of this.#clients.values()) client.end()
    this.#clients.clear()
    const last = this.harness.open()
    last.make("Lock")
    last.end()
  }

  /** Over a new link a client sends some of its requests again, cancels some, and tells what it has. */
  #resume(client: Client, random: Random): void {
    const session = this.harness.engine.state.sessions.get(client.session)!
    if (session.grace === undefined) return
    client.link()
    if (random.chance(0.5)) client.cancel(this.#sequence(client, random))
    if (random.chance(0.5)) client.imports([...session.imports].map(([id, times]) => [id, times - random.below(2)]))
    client.holds(...session.grants.keys(), random.below(50))
    client.resend(...session.answered.values().map(({ sequence }) => sequence), ...session.parked.keys())
  }

  #make(client: Client, random: Random): void {
    const name = random.pick([null, null, "a", "b", "c", "d", "", "far too long"])
    client.call(0, "open", drawOpening(random, name, () => this.#value(random)))
  }

  #call(client: Client, random: Random): void {
    const id = this.#object(random)
    const { kind } = this.harness.engine.state.objects.get(id) ?? this.harness.object(0)
    const all = Object.keys(kind.operations)
    const { grants } = this.harness.engine.state.sessions.get(client.session)!
    // Who has something gives it back more often than one call of so many does.
    const gives = [...grants.values()].some(({ object }) => object === id) && random.chance(0.2)
    const names = gives ? all.filter((name) => kind.operations[name].settles) : all
    const operation = random.chance(0.02) ? "nonsense" : random.pick(names)!
    if (id === 0 && operation === "open") return this.#make(client, random)
    // An inspection of the manager is large, and deletions would empty it.
    if (id === 0 && !random.chance(0.2)) return
    const { parameters, rest }: Pick<Operation<unknown>, "parameters" | "rest"> = kind.operations[operation] ??
      { parameters: [], rest: [] }
    const args = parameters.map(({ expected }) =>
      random.chance(0.03) ? random.pick(nonsense)! : this.#argument(client, expected, id, random)
    )
    for (let groups = random.below(3); groups > 0; groups--) {
      args.push(...rest.map(({ expected }) => this.#argument(client, expected, id, random)))
    }
    if (random.chance(0.02)) args.pop()
    if (this.#reuses && random.chance(0.3)) client.reuse(this.#inUse(client, random))
    const outputs = this.#observed(client, id, operation, args, this.#guard(client, random))
    if (outputs !== undefined) throw new Error(outputs)
  }

  /** Makes a call. Returns a violation if it overtook a waiter of its lane (I4). */
  #observed(
    client: Client,
    id: ObjectId,
    operation: string,
    args: ReadonlyArray<Argument>,
    guard: ReadonlyArray<number>
  ): string | undefined {
    const object = this.harness.engine.state.objects.get(id)
    const lane = object?.kind.operations[operation]?.lane
    const queue = lane === undefined ? undefined : object!.lanes.get(lane)!
    const waiters = () => queue === undefined ? [] : [...Lane.places(queue)].filter(({ isRead }) => !isRead)
    const before = waiters()
    const { index } = this.harness.engine.state
    const sequence = client.call(id, operation, args, guard, guard.length)
    const stay = waiters()
    // A call that takes nothing overtakes no waiter.
    return !this.#reuses && client.outcome(sequence)?._tag === "Success" && this.harness.engine.state.index > index &&
        before.some((waiter) => stay.includes(waiter))
      ? `I4: ${operation} on ${id} went past a waiter of its lane`
      : undefined
  }

  #acknowledge(client: Client, random: Random): void {
    const from = this.#sequence(client, random)
    client.acknowledge(from, from + random.pick([0, 0, 1, 5, -1, Number.MAX_SAFE_INTEGER]))
  }

  #argument(client: Client, expected: string, id: ObjectId, random: Random): Argument {
    switch (expected) {
      case "a value":
        return this.#value(random)
      case "a value or nothing":
        return random.chance(0.3) ? null : this.#value(random)
      case "a word":
        return random.pick(words)
      case "a whole number from 0 up":
        return this.#count(client, id, random)
      default:
        // One of a few words, as `oneOf` says it, or a number.
        return /^\w+( or \w+)+$/.test(expected) ? random.pick(expected.split(" or "))! : random.below(7) - 3
    }
  }

  /** A grant of this client, a version, or any number. */
  #count(client: Client, id: ObjectId, random: Random): number {
    const session = this.harness.engine.state.sessions.get(client.session)!
    const held = [...session.grants.values()].filter((grant) => grant.object === id).map((grant) => grant.id)
    return id === 0
      ? this.#object(random)
      : random.pick([...held, ...held, 0, 1, 1, this.harness.engine.state.index, random.below(50)])!
  }

  #value(random: Random) {
    if (random.chance(0.1)) return bytesCell(Uint8Array.of(random.below(3)))
    return random.chance(0.5) ?
      value(random.below(10)) :
      handleOf(...Array.from({ length: random.below(3) + 1 }, () => this.#object(random)))
  }

  #guard(client: Client, random: Random): ReadonlyArray<number> {
    if (!random.chance(0.15)) return []
    const session = this.harness.engine.state.sessions.get(client.session)!
    return Array.from({ length: random.below(4) }, () => random.pick([...session.grants.keys()]) ?? random.below(30))
  }

  /** Mostly an existing object, and often one with holders or waiters, where more can happen. */
  #object(random: Random): ObjectId {
    if (random.chance(0.03)) return random.below(60)
    const objects = [...this.harness.engine.state.objects.values()]
    const busy = random.chance(0.5) ? objects.filter(({ grants, waiting }) => grants.size + waiting > 0) : []
    return random.pick(busy.length > 0 ? busy : objects)!.id
  }

  /** Mostly the sequence of a waiting request: the worst one to use again. */
  #inUse(client: Client, random: Random): number {
    const { parked } = this.harness.engine.state.sessions.get(client.session)!
    return random.chance(0.8) && parked.size > 0 ? random.pick([...parked.keys()])! : this.#sequence(client, random)
  }

  /** Mostly the sequence of a waiting or remembered request. */
  #sequence(client: Client, random: Random): number {
    const session = this.harness.engine.state.sessions.get(client.session)!
    const known = [
      ...session.parked.keys(),
      ...session.answered.values().map(({ sequence }) => sequence),
      ...session.watches.keys()
    ]
    return random.chance(0.05) ? random.below(200) : random.pick(known) ?? 0
  }
}
