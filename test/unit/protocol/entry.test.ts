/** Inputs in the entries of a log: what is read is what was written, and replaying it gives the same state. */
import { Engine } from "#core/engine/Engine.ts"
import type { Input, Output } from "#core/engine/Inputs.ts"
import { kinds } from "#core/engine/kinds/index.ts"
import * as StateHash from "#core/engine/StateHash.ts"
import { engineVersion } from "#core/engine/version.ts"
import { EntryWriter, type Operations, readEntry, writeBeginning } from "#core/protocol/InputEntry.ts"
import { Random } from "#core/testing/Random.ts"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { budget } from "../../support/budget.ts"
import { commands, run } from "../../support/RandomProgram.ts"

/** Cuts a list into lists of 1 to 20. */
const cut = <A>(list: ReadonlyArray<A>, random: Random): ReadonlyArray<ReadonlyArray<A>> => {
  const pieces: Array<ReadonlyArray<A>> = []
  for (let i = 0; i < list.length; i += pieces.at(-1)!.length) pieces.push(list.slice(i, i + 1 + random.below(20)))
  return pieces
}

const entryOf = (inputs: ReadonlyArray<Input>, engine: Engine): Uint8Array => {
  const writer = new EntryWriter(engineVersion, engine)
  for (const input of inputs) writer.write(input)
  assert.isAbove(writer.bytes, 0)
  return writer.take(7)
}

/** Reads an entry, and returns its inputs. */
const readInputs = (bytes: Uint8Array, operations: Operations, step: (input: Input) => void = () => {}) => {
  const inputs: Array<Input> = []
  const entry = readEntry(bytes, operations, (input) => {
    inputs.push(input)
    step(input)
  })
  return entry === undefined ? undefined : { ...entry, inputs }
}

const seed = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 })))

describe("the entries of a log", () => {
  it.prop(
    "are read as they were written, and give the same state and outputs (I1)",
    [commands, seed],
    ([list, seed]) => {
      const { harness } = run(list)
      const { engine } = harness
      const options = { epoch: engine.state.epoch, kinds, limits: engine.state.limits }
      const [written, replayed] = [new Engine(options), new Engine(options)]
      const outputs: Array<Output> = []
      for (const piece of cut(harness.inputs, new Random(seed))) {
        const inputs = [...piece]
        // Written while they are stepped, as a leader does, and read while they are stepped again.
        const writer = new EntryWriter(engineVersion, written)
        for (const input of inputs) {
          writer.write(input)
          written.step(input)
        }
        written.takeOutputs()
        const { index } = written.state
        const entry = readInputs(writer.take(index), replayed, (input) => {
          replayed.step(input)
          outputs.push(...replayed.takeOutputs())
        })
        assert.deepStrictEqual(entry, { _tag: "Inputs", engineVersion, index, inputs })
        assert.strictEqual(replayed.state.index, index)
      }
      assert.strictEqual(StateHash.hash(replayed.state), harness.hash)
      assert.deepStrictEqual(outputs, harness.outputs)
    },
    { arbitrary: { runs: budget(15), size: 600 } }
  )

  it.prop("are refused, and throw nothing, if they are other bytes", [commands, seed], ([list, seed]) => {
    const random = new Random(seed)
    const { harness: { engine, inputs } } = run(list)
    if (inputs.length === 0) return
    const bytes = entryOf(inputs.slice(-20), engine)
    for (let i = 0; i < 3; i++) bytes[random.below(bytes.length)] = random.below(256)
    readInputs(bytes, engine)
    const whole = entryOf(inputs.slice(-20), engine)
    // A part of an entry is none.
    assert.isUndefined(readInputs(whole.subarray(0, random.below(whole.length)), engine))
  }, { arbitrary: { runs: budget(20), size: 600 } })

  it("name operations, whose positions may be others in another release", () => {
    const { harness: { engine } } = run([])
    const request: Input = {
      _tag: "Request",
      session: 1,
      sequence: 1,
      guard: [],
      stalls: 0,
      calls: [{ object: 0, operation: 3, args: [] }]
    }
    const names = { nameOf: () => "moved", positionOf: (_: number, name: string) => name === "moved" ? 7 : undefined }
    const bytes = entryOf([request], engine)
    const writer = new EntryWriter(engineVersion, names)
    writer.write(request)
    writer.write(request)
    const [first, second] = readInputs(writer.take(0), names)!.inputs
    assert.deepStrictEqual(first, { ...request, calls: [{ object: 0, operation: 7, args: [] }] })
    assert.deepStrictEqual(second, first)
    // One that no longer exists.
    assert.isUndefined(readInputs(bytes, { ...names, positionOf: () => undefined }))
  })

  it("tell with what a leader begins", () => {
    const { harness: { engine } } = run([])
    const limits = { objectsMax: 1_000_000, memoryBytesMax: Infinity }
    const bytes = writeBeginning(3, { instance: "some", limits })
    assert.deepStrictEqual(readEntry(bytes, engine, () => {}), {
      _tag: "Beginning",
      engineVersion: 3,
      instance: "some",
      limits
    })
  })
})
