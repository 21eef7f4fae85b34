/**
 * What must be left of a manager when all its clients have gone: nothing but what was to stay. And that its state is a
 * function of its inputs alone.
 */
import { Engine, type EngineOptions } from "../engine/Engine.ts"
import type { Input } from "../engine/Inputs.ts"
import * as StateHash from "../engine/StateHash.ts"

/** Sessions, grants, waiters and objects that should have gone with the last client, as sentences. */
export const leaks = ({ state }: Engine): ReadonlyArray<string> => {
  const left: Array<string> = []
  for (const id of state.sessions.keys()) left.push(`session ${id} has not ended, though its client has`)
  for (const { id, grants, keep, kind, name, references, state: value, waiting } of state.objects.values()) {
    for (const grant of grants.values()) {
      left.push(`grant ${grant.id} of object ${id} is left of session ${grant.session}`)
    }
    if (id === 0) continue
    if (waiting > 0) left.push(`${kind.name} #${id} still has ${waiting} waiters`)
    // References that are left stand in values of objects that stay: the invariants have counted them.
    if (references === 0 && (name === undefined || (!keep && kind.pristine(value)))) {
      left.push(`${kind.name} #${id} is still there, though nobody refers to it`)
    }
  }
  return left
}

/** I1: the same inputs give another engine the same state. */
export const replayed = (
  engine: Engine,
  options: EngineOptions,
  inputs: ReadonlyArray<Input>,
  onEngine: (engine: Engine) => void
): ReadonlyArray<string> => {
  const again = new Engine(options)
  onEngine(again)
  for (const input of inputs) {
    again.step(input)
    again.takeOutputs()
  }
  const [first, second] = [StateHash.hash(engine.state), StateHash.hash(again.state)]
  return first === second ? [] : [`I1: the same inputs gave the states ${first} and ${second}`]
}
