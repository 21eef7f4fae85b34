/**
 * Runs the inputs of a run again in other engines: the state and the outputs of a manager are a function of its inputs
 * (I1), also if they were in a log meanwhile, and an engine that is saved and loaded in between has the same.
 */
import * as Checkpoint from "../engine/Checkpoint.ts"
import { Engine, type EngineOptions } from "../engine/Engine.ts"
import { Malformed } from "../engine/Format.ts"
import type { Input } from "../engine/Inputs.ts"
import * as StateHash from "../engine/StateHash.ts"
import { engineVersion } from "../engine/version.ts"
import { EntryWriter, readEntry } from "../protocol/InputEntry.ts"

/** A run, and the options of its repetition. */
export interface Rerun {
  /** The engine that ran, in its last state. */
  readonly engine: Engine
  readonly options: EngineOptions
  readonly inputs: ReadonlyArray<Input>
  /** The index of the input before which a second engine is loaded. */
  readonly loadedBefore: number
  /** Sees each engine before its first input, to tamper with it. */
  readonly onEngine: (engine: Engine) => void
}

/**
 * The differences of an engine that gets the same inputs, and of one that is loaded from it in between, as sentences.
 */
export const rerun = ({ engine, inputs, loadedBefore, onEngine, options }: Rerun): ReadonlyArray<string> => {
  const again = new Engine(options)
  onEngine(again)
  for (const input of inputs.slice(0, loadedBefore)) next(again, input)
  const loaded = Checkpoint.load(options, JSON.parse(JSON.stringify(Checkpoint.save(again.state))))
  if (loaded instanceof Malformed) {
    return [`I1: the state saved before input ${loadedBefore} is refused: ${loaded.reason}`]
  }
  onEngine(loaded)
  if (!isAlike(again, loaded)) return [`I1: the state saved before input ${loadedBefore} is loaded as another state`]
  for (const [i, input] of inputs.slice(loadedBefore).entries()) {
    if (next(again, input) !== next(loaded, input)) {
      return [`I1: an engine that was loaded before input ${loadedBefore} has other outputs at ${loadedBefore + i}`]
    }
  }
  return [
    ...isAlike(engine, again) ? [] : [`I1: the same inputs gave another state${differing(engine, again)}`],
    ...isAlike(again, loaded)
      ? []
      : [`I1: an engine that was loaded before input ${loadedBefore} ends in another state`]
  ]
}

/** The first object whose states differ, as text. */
const differing = (one: Engine, other: Engine): string => {
  for (const { id, kind, name = `#${id}`, state } of one.state.objects.values()) {
    const again = other.state.objects.get(id)
    if (JSON.stringify(kind.format.save(state)) === JSON.stringify(again?.kind.format.save(again.state))) continue
    const hint = kind.fingerprint === undefined ? "" : ". The outcome of a transition follows from its arguments alone"
    return ` of ${kind.name} "${name}"${hint}`
  }
  return ""
}

/** One step by an input that was written into the entry of a log and read again, and the outputs of the engine. */
const next = (engine: Engine, input: Input): string => {
  const writer = new EntryWriter(engineVersion, engine)
  writer.write(input)
  readEntry(writer.take(0), engine, (read) => engine.step(read))
  return JSON.stringify(engine.takeOutputs())
}

const isAlike = (one: Engine, other: Engine): boolean => StateHash.hash(one.state) === StateHash.hash(other.state)
