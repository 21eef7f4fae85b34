/** Scans, as they should behave: what an object held at one instant, page by page. */
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { type Argument, bytesMaxOf } from "../../engine/Value.ts"
import { pages } from "../../proxy/pages.ts"
import type { Actor } from "../Workload.ts"
import { type Answer, type Call, type Granted, notHeld, type Reply } from "./Model.ts"

/** The scans of one object. */
export class ScanModel {
  /** Those of the object: scans add theirs. */
  readonly #grants: Map<number, Granted>
  readonly #group: number
  readonly #scans: Map<number, Reply>

  constructor(grants: Map<number, Granted>, group: number, scans?: ReadonlyMap<number, Reply>) {
    this.#grants = grants
    this.#group = group
    this.#scans = new Map(scans)
  }

  /** What the operations of scans answer without a change, given all that the object holds. */
  look({ args, operation, session }: Call, all: () => Reply): Answer | undefined {
    if (operation === "scan") {
      const page = this.#page(all(), 0, args[0])
      return page.length === all().length ? { reply: [0, ...page] } : undefined
    }
    if (operation !== "page" && operation !== "endScan") return undefined
    const parts = this.#grants.get(Number(args[0]))?.session === session ? this.#scans.get(Number(args[0])) : undefined
    if (parts === undefined) return notHeld
    if (operation === "endScan") return undefined
    const page = this.#page(parts, Number(args[1]), args[2])
    return { reply: [Number(args[1]) + page.length < parts.length ? 1 : 0, ...page] }
  }

  /** Carries an operation of scans out that `look` does not answer; `undefined`: it is none. */
  change({ args, index, operation, session }: Call, all: () => Reply): Reply | undefined {
    if (operation === "endScan") {
      this.end(Number(args[0]))
      return []
    }
    if (operation !== "scan") return undefined
    this.#scans.set(index, all())
    this.#grants.set(index, { session, byReceipt: false })
    return [index, ...this.#page(all(), 0, args[0])]
  }

  end(scan: number): void {
    if (this.#scans.delete(scan)) this.#grants.delete(scan)
  }

  state(): unknown {
    return [...this.#scans]
  }

  /** Others in the same state, over the grants of a copy. */
  copy(grants: Map<number, Granted>): ScanModel {
    return new ScanModel(grants, this.#group, this.#scans)
  }

  /** Whole groups, while they fit; at least one. */
  #page(parts: Reply, start: number, bytesMax: Argument | undefined): Reply {
    let end = start
    let bytes = 0
    while (end < parts.length) {
      bytes += parts.slice(end, end + this.#group).reduce((sum: number, part) => sum + bytesMaxOf(part), 0)
      if (bytes > Number(bytesMax) && end > start) break
      end += this.#group
    }
    return parts.slice(start, end)
  }
}

/** Reads an object one group after the other: now and then so slowly that the reader may well die meanwhile. */
export const scan = ({ impatiently, random, sleep, work }: Actor, remote: Parameters<typeof pages>[0]) => {
  const pause = random.chance(1 / 2) ? sleep(500) : work()
  const all = Stream.runForEach(pages(remote, (parts) => Exit.succeed(parts), 1), () => pause)
  return random.chance(1 / 2) ? all : impatiently(all)
}
