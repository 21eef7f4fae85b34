/**
 * A random walk over an engine. A command is a few numbers, so that a failing walk can be shrunk and replayed; what
 * they mean depends on what is there: mostly calls that make sense, now and then nonsense.
 */
import type { Operation } from "#core/engine/Kind.ts"
import * as Lane from "#core/engine/Lane.ts"
import type { Argument, ObjectId } from "#core/engine/Value.ts"
import { Dice } from "./Dice.ts"
import { type Client, Drive, handleOf, value } from "./EngineHarness.ts"

/** What to do, out of a hundred; which of three clients does it; the seed of everything else about it. */
export type Command = readonly [what: number, who: number, seed: number]

/** Small enough that the walk runs into every one of them. */
const limits = {
  objectsMax: 40,
  waitersPerObjectMax: 6,
  watchersPerObjectMax: 3,
  nameLengthMax: 8,
  guardMax: 2,
  traceEveryDrops: 1
}

const nonsense: ReadonlyArray<Argument> = [null, -1, 0.5, NaN, Infinity, "", "field", "__proto__", value(1)]

/** An engine, its clients, and how to take the next step. */
export class RandomProgram {
  readonly drive = new Drive(limits)
  readonly #clients = new Map<number, Client>()
  #now = 0

  readonly run = ([what, who, seed]: Command): void => {
    const dice = new Dice(seed)
    const client = this.#clients.get(who)
    if (client === undefined) this.#clients.set(who, this.drive.open())
    else if (what < 10) this.#make(client, dice)
    else if (what < 68) this.#call(client, dice)
    else if (what < 74) client.cancel(this.#sequence(client, dice))
    else if (what < 82) this.#acknowledge(client, dice)
    else if (what < 87) client.drop(this.#object(dice), dice.pick([1, 1, 2, 1e15]))
    else if (what < 90) client.watch(this.#object(dice), dice.roll(3))
    else if (what < 92) client.credit(this.#sequence(client, dice), dice.roll(3))
    else if (what < 93) client.unwatch(this.#sequence(client, dice))
    else if (what < 97) this.drive.time(this.#now += dice.pick([-5, 0, 1, 2_500, 5_000]))
    else {
      client.end()
      this.#clients.delete(who)
    }
  }

  /** Ends every session, and then drops one reference more, at which the engine looks for cycles (S-23). */
  endAll(): void {
    for (const client of this.#clients.values()) client.end()
    this.#clients.clear()
    const last = this.drive.open()
    last.make("Lock")
    last.end()
  }

  #make(client: Client, dice: Dice): void {
    const name = dice.pick([null, null, "a", "b", "c", "d", "", "far too long"])
    const capacity = dice.pick([1, 2, 3, Infinity, -1])
    const { args, kind } = dice.pick([
      { kind: "Lock", args: [0] },
      { kind: "Condition", args: [0] },
      { kind: "Semaphore", args: [1, "permits", dice.pick([1, 3, 3, 5, 0])] },
      { kind: "Map", args: [0] },
      { kind: "Latch", args: [0] },
      { kind: "Barrier", args: [1, "parties", dice.pick([1, 2, 3, 0])] },
      { kind: "Map", args: [1, "values", dice.pick(["", "integer -5 5"])] },
      { kind: "OpenNamespace", args: [0] },
      {
        kind: "Queue",
        args: [dice.pick([2, 2, 2, 2, 1e15]), "capacity", capacity, "attempts", dice.pick([1, 2, 3, 0])]
      },
      { kind: "Ref", args: [1, "value", "integer -5 5", value(0)] },
      { kind: "Namespace", args: [2, "field", "real", "value", "", value(0), this.#value(dice)] },
      {
        kind: "List",
        args: [1, "order", dice.pick(["", "number", "string", "nonsense"]), value(1), this.#value(dice)]
      },
      {
        kind: "Array",
        args: [2, "type", dice.pick(["uint8", "float32", "nonsense"]), "length", dice.pick([3, 3, 1e15, -1])]
      },
      { kind: "Nonsense", args: [1e15] }
    ])
    client.call(0, "open", [kind, dice.pick(["x", "x", "x", "y"]), name, ...args])
  }

  #call(client: Client, dice: Dice): void {
    const id = this.#object(dice)
    const { kind } = this.drive.engine.state.objects.get(id) ?? this.drive.object(0)
    const names = Object.keys(kind.operations)
    const operation = dice.chance(2) ? "nonsense" : dice.pick(names)!
    if (operation === "open") return this.#make(client, dice)
    // The manager's own inspection is large, and deleting is for the end of things.
    if (id === 0 && !dice.chance(20)) return
    const { parameters, rest }: Pick<Operation<unknown>, "parameters" | "rest"> = kind.operations[operation] ??
      { parameters: [], rest: [] }
    const args = parameters.map(({ expected }) =>
      dice.chance(3) ? dice.pick(nonsense)! : this.#argument(client, expected, id, dice)
    )
    for (let groups = dice.roll(3); groups > 0; groups--) {
      args.push(...rest.map(({ expected }) => this.#argument(client, expected, id, dice)))
    }
    if (dice.chance(2)) args.pop()
    const outputs = this.#observed(client, id, operation, args, this.#guard(client, dice))
    if (outputs !== undefined) throw new Error(outputs)
  }

  /** Calls, and says so if the call overtook somebody who waits in its lane (I4). */
  #observed(
    client: Client,
    id: ObjectId,
    operation: string,
    args: ReadonlyArray<Argument>,
    guard: ReadonlyArray<number>
  ): string | undefined {
    const object = this.drive.engine.state.objects.get(id)
    const lane = object?.kind.operations[operation]?.lane
    const queue = lane === undefined ? undefined : object!.lanes.get(lane)!
    const waiters = () => queue === undefined ? [] : [...Lane.calls(queue)].filter(({ isRead }) => !isRead)
    const before = waiters()
    const { index } = this.drive.engine.state
    const sequence = client.call(id, operation, args, guard)
    const stay = waiters()
    // Who takes nothing overtakes nobody.
    return client.outcome(sequence)?._tag === "Success" && this.drive.engine.state.index > index &&
        before.some((waiter) => stay.includes(waiter))
      ? `I4: ${operation} on ${id} went past a waiter of its lane`
      : undefined
  }

  #acknowledge(client: Client, dice: Dice): void {
    const from = this.#sequence(client, dice)
    client.acknowledge(from, from + dice.pick([0, 0, 1, 5, -1, Number.MAX_SAFE_INTEGER]))
  }

  #argument(client: Client, expected: string, id: ObjectId, dice: Dice): Argument {
    switch (expected) {
      case "a value":
        return this.#value(dice)
      case "a value or nothing":
        return dice.chance(30) ? null : this.#value(dice)
      case "a word":
        return dice.pick(["value", "value", "field"])
      case "a whole number from 0 up":
        return this.#count(client, id, dice)
      default:
        return dice.roll(7) - 3
    }
  }

  /** A grant of this client, a version, or any number. */
  #count(client: Client, id: ObjectId, dice: Dice): number {
    const session = this.drive.engine.state.sessions.get(client.session)!
    const held = [...session.grants.values()].filter((grant) => grant.object === id).map((grant) => grant.id)
    return id === 0
      ? this.#object(dice)
      : dice.pick([...held, ...held, 0, 1, this.drive.engine.state.index, dice.roll(50)])!
  }

  #value(dice: Dice) {
    return dice.chance(50) ?
      value(dice.roll(10)) :
      handleOf(...Array.from({ length: dice.roll(3) + 1 }, () => this.#object(dice)))
  }

  #guard(client: Client, dice: Dice): ReadonlyArray<number> {
    if (!dice.chance(15)) return []
    const session = this.drive.engine.state.sessions.get(client.session)!
    return Array.from({ length: dice.roll(4) }, () => dice.pick([...session.grants.keys()]) ?? dice.roll(30))
  }

  /** Mostly one that is there. */
  #object(dice: Dice): ObjectId {
    const ids = [...this.drive.engine.state.objects.keys()]
    return dice.chance(3) ? dice.roll(60) : dice.pick(ids)!
  }

  /** Mostly one that is waited for or remembered. */
  #sequence(client: Client, dice: Dice): number {
    const session = this.drive.engine.state.sessions.get(client.session)!
    const known = [...session.calls.keys(), ...session.watches.keys()]
    return dice.chance(5) ? dice.roll(200) : dice.pick(known) ?? 0
  }
}
