/**
 * Saving and loading whole engines: in the middle of random programs, after which both go on alike, and of data that
 * somebody has damaged.
 */
import * as Checkpoint from "#core/engine/Checkpoint.ts"
import { type Json, Malformed } from "#core/engine/Format.ts"
import * as Invariants from "#core/engine/Invariants.ts"
import type { AnyKind } from "#core/engine/Kind.ts"
import { kinds } from "#core/engine/kinds/index.ts"
import { Random } from "#core/testing/Random.ts"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { isDeepStrictEqual } from "node:util"
import { budget, sample } from "../../support/budget.ts"
import { EngineHarness, value } from "../../support/EngineHarness.ts"
import { commands, RandomProgram, run } from "../../support/RandomProgram.ts"

const seeds = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffff_ffff })))

const saved = ({ engine }: EngineHarness): Json => JSON.parse(JSON.stringify(Checkpoint.save(engine.state)))

describe("a saved engine", () => {
  it.prop(
    "goes on as if nothing had been, wherever it is saved and loaded in a random program",
    [commands, seeds],
    ([list, seed]) => {
      const { harness } = run(list)
      const random = new Random(seed)
      const { hash, outputs } = harness.replay(() => random.chance(1 / 30))
      assert.strictEqual(hash, harness.hash)
      assert.deepStrictEqual(outputs, harness.outputs)
    },
    { arbitrary: { runs: budget(24), size: 600 } }
  )

  it.prop(
    "is refused with a reason when its data are damaged, or loaded with all that they say",
    [commands, seeds],
    ([list, seed]) => {
      const { harness } = run(list)
      const random = new Random(seed)
      for (let times = 0; times < 20; times++) {
        const damaged = damage(saved(harness), random)
        const loaded = harness.load(damaged)
        if (loaded instanceof Malformed) assert.match(loaded.reason, /^saved\S* [a-z]/)
        else {
          assert.deepStrictEqual(JSON.parse(JSON.stringify(Checkpoint.save(loaded.state))), damaged)
          for (const session of loaded.state.sessions.keys()) loaded.step({ _tag: "End", session })
          assert.deepStrictEqual(Invariants.violations(loaded), [])
        }
      }
    },
    { arbitrary: { runs: budget(24), size: 300 } }
  )

  it("is taken between two steps, when its outputs have been taken", () => {
    const { engine } = new EngineHarness()
    engine.step({ _tag: "Open", label: { name: "client", pid: 0 } })
    engine.step({ _tag: "Cancel", session: 1, sequence: 1 })
    assert.throws(() => Checkpoint.save(engine.state), "between two steps")
    engine.takeOutputs()
    Checkpoint.save(engine.state)
  })

  it("has numbers that JSON has no form for, and keeps them", () => {
    const harness = new EngineHarness()
    const main = harness.open()
    const queue = main.make("Queue", null, { capacity: Infinity, attempts: 3 })
    const array = main.make("Array", null, { type: "float64", length: 2 })
    main.get(array, "set", [0, -0, 1e300])
    const loaded = harness.reload(harness.engine)
    assert.strictEqual(loaded.state.objects.get(queue)!.state.capacity, Infinity)
    assert.deepStrictEqual([...loaded.state.objects.get(array)!.state.items], [-0, 1e300])
  })
})

describe("a kind that forgets a field when it is loaded", () => {
  it("is found, whichever it is", () => {
    const random = new Random(1)
    const found = new Map<string, boolean>()
    const missed = () => [...found].flatMap(([name, isFound]) => isFound ? [] : [name]).sort()
    const sought = new Set(sample(kinds).map(({ name }) => name))
    /** Kinds that need not be saved, or not again: every field has been found. */
    const done = new Set(kinds.flatMap(({ name }) => sought.has(name) ? [] : [name]))
    // A record whose fields are declared has the fields of one whose entries come and go.
    const unused = ["Namespace", "Ref"].filter((kind) => sought.has(kind)).flatMap((kind) =>
      ["arithmetic", "arranged", "isOpen", "scans"].map((field) => `${kind}.${field}`)
    )
    for (let times = 0; times < 900 && (found.size === 0 || missed().length > unused.length); times++) {
      const program = new RandomProgram()
      const { harness } = program
      for (let steps = 0; steps < 300; steps++) {
        program.run([random.below(100), random.below(3), random.below(2 ** 32)])
        if (steps % 3 > 0) continue
        for (const { kind, state } of harness.engine.state.objects.values()) {
          if (done.has(kind.name)) continue
          const fields = Object.entries(kind.format.save(state) ?? {})
          for (const [field, value] of fields) {
            const name = `${kind.name}.${field}`
            const forgotten = without(value)
            if (found.get(name) === true) continue
            found.set(name, !isDeepStrictEqual(value, forgotten))
            if (found.get(name) === false) continue
            const load = (saved: unknown) => kind.format.load({ ...saved as object, [field]: forgotten })
            const forgetful: AnyKind = { ...kind, format: { ...kind.format, load } }
            assert.throws(() => harness.reload(harness.engine, [...kinds.filter((other) => other !== kind), forgetful]))
          }
          if (fields.every(([field]) => found.get(`${kind.name}.${field}`) === true)) done.add(kind.name)
        }
      }
    }
    assert.deepStrictEqual(missed(), unused)
  })
})

/** What is left of a value that is forgotten. */
const without = (value: Json): Json =>
  Array.isArray(value) ? [] : typeof value === "number" ? 0 : typeof value === "boolean" ? false : null

describe("data that is not of this manager", () => {
  const harness = new EngineHarness()
  const [main, other] = [harness.open(), harness.open()]
  const queue = main.make("Queue", "jobs", { capacity: 9, attempts: 3 })
  const lock = main.make("Lock", "lock")
  main.get(queue, "offer", [value(1)])
  other.get(queue, "takeLease")
  main.get(lock, "acquire")
  other.call(lock, "acquire")
  const map = main.make("Map", null, { values: "" })
  main.watch(map, 1)

  /** Why data are refused that somebody has changed. */
  // oxlint-disable-next-line typescript/no-explicit-any -- what is to be damaged may be anything
  const reason = (change: (data: any) => unknown): string => {
    const data = saved(harness)
    const changed = change(data)
    const loaded = harness.load(changed === undefined ? data : changed)
    assert.instanceOf(loaded, Malformed)
    return loaded.reason
  }

  it("is refused: of another shape", () => {
    assert.strictEqual(reason(() => null), "saved must be an object, not null")
    assert.strictEqual(reason(() => "text"), "saved must be an object, not \"text\"")
    assert.strictEqual(reason((data) => void (data.more = 1)), "saved.more is not a field")
    assert.strictEqual(reason((data) => void delete data.now), "saved.now must be a finite number, not nothing")
    assert.strictEqual(
      reason((data) => void (data.objects[0].state.queued = [{ place: 0 }])),
      "saved.objects[0].state.queued[0].value must be an object, not nothing"
    )
  })

  it("is refused: of another version, of the whole or of a kind", () => {
    assert.strictEqual(reason((data) => void (data.version = 1)), "saved.version must be 6, not 1")
    assert.strictEqual(
      reason((data) => void (data.objects[0].version = 1)),
      "saved.objects[0].version is 1, and this manager knows version 3 of Queue"
    )
  })

  it("is refused: of kinds and operations that it does not know", () => {
    assert.strictEqual(
      reason((data) => void (data.objects[0].kind = "Stack")),
      "saved.objects[0].kind names Stack, which this manager does not know"
    )
    assert.strictEqual(
      reason((data) => void (data.objects[0].kind = "Directory")),
      "saved.objects[0].kind names Directory, which this manager does not know"
    )
    assert.strictEqual(
      reason((data) => void (data.sessions[1].parked[0].calls[0].operation = "open")),
      "saved.sessions[1].parked[0].calls[0].operation is no operation of a Lock"
    )
    assert.strictEqual(
      reason((data) => void (data.sessions[1].parked[0].calls[0].args = [1])),
      "saved.sessions[1].parked[0].calls[0].args must be 0 arguments, not 1"
    )
  })

  it("is refused: out of order, or with something twice", () => {
    assert.strictEqual(reason((data) => void data.objects.reverse()), "saved.objects[1].id is out of order")
    assert.strictEqual(reason((data) => void (data.nextObject = 2)), "saved.objects[1].id is out of order")
    assert.strictEqual(reason((data) => void data.grants.reverse()), "saved.grants[1].id is out of order")
    assert.strictEqual(reason((data) => void (data.arrivals = 0)), "saved.sessions have requests out of order")
    assert.strictEqual(
      reason((data) => void data.sessions.push(data.sessions[0])),
      "saved.sessions[2].id is out of order"
    )
    assert.strictEqual(
      reason((data) => void (data.objects[1].name = "jobs")),
      "saved.objects[1].name names an earlier object"
    )
  })

  it("is refused: with a hold that is not in the guard, or that two requests stall", () => {
    assert.strictEqual(
      reason((data) => void (data.sessions[1].parked[0].stalls = 1)),
      "saved.sessions[1].parked[0].stalls are more than the holds of the guard"
    )
    const twice = reason((data) => {
      const [parked] = data.sessions[1].parked
      Object.assign(parked, { guard: [1], stalls: 1 })
      data.sessions[1].parked.push({ ...parked, sequence: 9, arrival: ++data.arrivals })
    })
    assert.strictEqual(twice, "saved.sessions stall one hold twice")
    const inOne = reason((data) => void Object.assign(data.sessions[1].parked[0], { guard: [1, 1], stalls: 2 }))
    assert.strictEqual(inOne, "saved is no state of a manager. I3: 1 holds are stalled, not 2")
  })

  it("is refused: with something that is not there", () => {
    assert.strictEqual(
      reason((data) => void data.suspects.push(99)),
      "saved.suspects[0] names an object that is not there"
    )
    assert.strictEqual(
      reason((data) => void (data.grants[0].object = 99)),
      "saved.grants[0] names an object that is not there"
    )
    // The directory is there, but is never held or removed.
    assert.strictEqual(
      reason((data) => void data.suspects.push(0)),
      "saved.suspects[0] names an object that is not there"
    )
    assert.strictEqual(
      reason((data) => void (data.grants[0].object = 0)),
      "saved.grants[0] names an object that is not there"
    )
    assert.strictEqual(
      reason((data) => void (data.grants[0].session = 99)),
      "saved.grants[0] names a session that is not there"
    )
    assert.strictEqual(
      reason((data) => void (data.objects[2].watchers[0].session = 99)),
      "saved.objects[2].watchers[0] names a session that is not there"
    )
    assert.strictEqual(
      reason((data) => void data.sessions[0].imports.push([99, 1])),
      "saved.sessions[0].imports names an object that is not there"
    )
    assert.strictEqual(
      reason((data) => void (data.objects[0].state.out[0][1].item.value.handles = [99])),
      "saved.objects[0].state names an object that is not there"
    )
    assert.strictEqual(
      reason((data) => void (data.sessions[1].parked[0].places = [])),
      "saved.sessions[1].parked[0].places must be a lane for one of its calls or more"
    )
  })

  it("is refused: where an invariant does not hold", () => {
    assert.match(reason((data) => void (data.objects[0].state.accepted = 7)), /^saved is no .* I2: 7 accepted/)
    const twice = reason(({ objects: [{ state }] }) => {
      const [[, { item }]] = state.out
      state.queued.push(item)
      state.accepted++
    })
    assert.match(twice, /I2: items have the place of another one/)
    assert.match(reason((data) => void (data.objects[1].state.holder = null)), /I5: the lock is held by/)
    assert.match(reason((data) => void data.grants.pop()), /I5: the lock is held by/)
  })
})

type Path = ReadonlyArray<string | number>

/** Every place in some JSON. */
const paths = (json: Json): ReadonlyArray<Path> =>
  typeof json === "object" && json !== null
    ? Object.entries(json).flatMap(([key, inner]) => [[key], ...paths(inner).map((path) => [key, ...path])])
    : []

const wrong: ReadonlyArray<Json> = [null, true, -1, 0, 1, 0.5, 1e9, 1e300, "", "Queue", "Lock", "Infinity", [], {}]

/** The same with one thing changed, left out, doubled or moved. */
const damage = (json: Json, random: Random): Json => {
  const path = random.pick(paths(json))!
  // oxlint-disable-next-line typescript/no-explicit-any -- what is to be damaged may be anything
  const around: any = path.slice(0, -1).reduce((inner: any, key) => inner[key], json)
  const key = path.at(-1)!
  const inner = around[key]
  const change = random.pick(["replace", "leave out", "double", "move"])
  if (change === "replace") around[key] = random.pick(wrong)
  else if (typeof inner === "number") around[key] += random.pick([-1, 1])
  else if (!Array.isArray(around)) delete around[key]
  else if (change === "double") around.splice(Number(key), 0, inner)
  else {
    around.splice(Number(key), 1)
    if (change === "move") around.splice(random.below(around.length + 1), 0, inner)
  }
  return json
}
