/** A worker process as its pool sees it: its link, and the messages that are still to be sent over it. */
import type * as Effect from "effect/Effect"
import type { Link } from "../transport/Link.ts"
import { MessageWriter } from "./Message.ts"
import type { WorkerId } from "./SchedulerState.ts"

/** How a worker process ended. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: string | null
  /** The last lines that it wrote to its standard error. */
  readonly lastLines: ReadonlyArray<string>
}

/** A worker process. */
export class WorkerProcess {
  /** Its id in the scheduler. 0: it is not ready. */
  id: WorkerId = 0
  readonly name: string
  readonly pid: number
  readonly link: Link
  readonly kill: Effect.Effect<void>
  /** Called when it can run jobs. */
  readonly onReady: () => void
  readonly writer = new MessageWriter()
  end: ProcessEnd | undefined = undefined

  constructor(name: string, pid: number, link: Link, kill: Effect.Effect<void>, onReady: () => void) {
    this.name = name
    this.pid = pid
    this.link = link
    this.kill = kill
    this.onReady = onReady
  }
}
