/**
 * The watchers: each is told a snapshot, then every change in order, or a new snapshot instead of what it missed (S-29).
 */
import { Buckets } from "./Buckets.ts"
import type { Told, WatchRecord } from "./History.ts"
import { sameReply, show } from "./kinds/Model.ts"
import type { Replay } from "./Replay.ts"

interface Watcher {
  readonly record: WatchRecord
  /** How many of the object's changes this watcher knows. */
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

  hear(replay: Replay, index: number): void {
    for (const { told, watcher } of this.#told.at(index)) hear(replay, watcher, told)
  }
}

// internals

const hear = (replay: Replay, watcher: Watcher, { event, index, parts }: Told): void => {
  const { client, object, sequence, session } = watcher.record
  const replica = replay.objects.get(object)
  if (replica?.model === undefined || event === "ended") return
  const violate = (truth: string) =>
    replay.violate(`S-29: watcher ${session}:${sequence} of ${client} was told ${event}${show(parts)}, ${truth}`)
  if (event === "change") {
    const next = replica.changes[watcher.position++]
    if (next === undefined) violate(`but nothing had changed at index ${index}`)
    else if (next.index !== index || !sameReply(next.parts, parts)) {
      violate(`but the next change is ${show(next.parts)} at index ${next.index}`)
      watcher.position = replica.changes.length
    }
    return
  }
  const snapshot = replica.model.snapshot?.() ?? []
  if (!sameReply(snapshot, parts)) violate(`but the state was ${show(snapshot)}`)
  watcher.position = replica.changes.length
}
