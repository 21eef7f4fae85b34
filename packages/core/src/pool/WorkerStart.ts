/** What may be wrong with the start of a worker, of a process's and of a pool's, as text for people. */
import * as Duration from "effect/Duration"
import { nameLengthMax } from "../protocol/Handshake.ts"

/** Why a worker cannot have a name: the manager would refuse it in the handshake. */
export const nameIssue = (name: string): string | undefined =>
  name.length > nameLengthMax
    ? `its name may have ${nameLengthMax} characters, this one has ${name.length}`
    : undefined

/** What to check when a worker ends, or does nothing, before it is ready. */
export const entryQuestion = "Does its entry call NodeManager.runMain with the tasks, and do their layers get ready?"

/** Why a worker was killed that did not get ready. */
export const notReadyIssue = (worker: string, startTimeout: Duration.Input): string => {
  const limit = Duration.format(Duration.fromInputUnsafe(startTimeout))
  return `${worker} was not ready within its startTimeout of ${limit} and was killed. ${entryQuestion}`
}
