/** What may be wrong with the start of a worker, of a process's and of a pool's, as text for people. */
import * as Duration from "effect/Duration"
import { format } from "effect/Formatter"
import { nameLengthMax } from "../protocol/Handshake.ts"
import { millisecondsOf } from "../proxy/duration.ts"

/** Options of the start of a worker. */
export interface StartOptions {
  readonly grace: Duration.Input
  readonly startTimeout: Duration.Input
  readonly execArgv: ReadonlyArray<string>
}

/** Why a worker cannot have a name: the manager would refuse it in the handshake, or show another one. */
export const nameIssue = (name: string): string | undefined =>
  name.length > nameLengthMax
    ? `its name may have ${nameLengthMax} characters, this one has ${name.length}`
    : name.isWellFormed()
    ? undefined
    : `its name ${JSON.stringify(name)} is no well-formed Unicode`

/** Why a worker cannot be started with these options. */
export const optionsIssue = ({ execArgv, grace, startTimeout }: StartOptions): string | undefined => {
  for (const [option, duration] of Object.entries({ grace, startTimeout })) {
    if (!(millisecondsOf(duration) >= 0)) return `${option} must be a duration of at least 0, it is ${format(duration)}`
  }
  return execArgv.every((option) => typeof option === "string" && !option.includes("\0"))
    ? undefined
    : `execArgv must be options of the runtime, it is ${format(execArgv)}`
}

/** What to check when a worker ends, or does nothing, before it is ready. */
export const entryQuestion = "Does its entry call NodeManager.runMain with the tasks, and do their layers get ready?"

/** Why a worker was killed that did not get ready. */
export const notReadyIssue = (worker: string, startTimeout: Duration.Input): string => {
  const limit = Duration.format(Duration.fromInputUnsafe(startTimeout))
  return `${worker} was not ready within its startTimeout of ${limit} and was killed. ${entryQuestion}`
}
