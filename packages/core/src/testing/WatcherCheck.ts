/**
 * Checks the watchers: each receives a snapshot, then every change in order. A new snapshot replaces missed changes
 * (S-29).
 */
import { directory } from "../engine/Value.ts"
import { Buckets } from "./Buckets.ts"
import type { Told, WatchRecord } from "./History.ts"
import { isPermanent, type JournalReplay } from "./JournalReplay.ts"
import { type Reply, sameReply, show } from "./kinds/Model.ts"

interface Watcher {
  readonly record: WatchRecord
  /** The number of the object's changes that this watcher knows. */
  position: number
}

/** All watchers. */
export class WatcherCheck {
  readonly #told: Buckets<{ readonly watcher: Watcher; readonly told: Told }>

  constructor(watches: ReadonlyArray<WatchRecord>, end: number) {
    this.#told = new Buckets(end)
    for (const record of watches) {
      const watcher = { record, position: 0 }
      for (const told of record.told) this.#told.add(told.index, { watcher, told })
    }
  }

  hear(replay: JournalReplay, index: number): void {
    for (const { told, watcher } of this.#told.at(index)) hear(replay, watcher, told)
  }
}

// internals

const hear = (replay: JournalReplay, watcher: Watcher, { event, index, parts }: Told): void => {
  const { client, object, sequence, session } = watcher.record
  const replica = replay.objects.get(object)
  const changes = object === directory ? replay.changes : replica?.model && replica.changes
  if (changes === undefined || event === "ended") return
  const violate = (truth: string) =>
    replay.violate(`S-29: watcher ${session}:${sequence} of ${client} was told ${event}${show(parts)}, ${truth}`)
  if (event === "change") {
    if (object === directory && isForgotten(replay, parts)) return
    const next = changes[watcher.position++]
    if (next === undefined) violate(`but nothing had changed at index ${index}`)
    else if (next.index !== index || !sameReply(next.parts, parts)) {
      violate(`but the next change is ${show(next.parts)} at index ${next.index}`)
      watcher.position = changes.length
    }
    return
  }
  const snapshot = replica?.model?.snapshot?.() ?? []
  if (!sameReply(snapshot, parts)) violate(`but the state was ${show(snapshot)}`)
  watcher.position = changes.length
}

/** Whether a change is the end of a forgotten object. The journal does not record when an object is forgotten. */
const isForgotten = ({ objects }: JournalReplay, [id, kind]: Reply): boolean => {
  const replica = objects.get(Number(id))
  return kind === undefined && replica !== undefined && !isPermanent(replica)
}
