/**
 * What a kind does while its specimen is simulated without a bug: only what it does can go wrong.
 */
import type { AnyKind } from "#core/engine/Kind.ts"
import type { At, Withdrawal } from "#core/engine/Operation.ts"
import { type AnyOperation, inKind } from "./mutation.ts"
import { draw, run } from "./Plan.ts"

/** What an operation, or the revocation of a grant, may do. */
export type Deed =
  | "waits"
  | "refuses"
  | "answers"
  | "replies"
  | "replies differently"
  | "puts back"
  | "is not pristine"
  | `revokes: ${Withdrawal}`
  | Exclude<keyof At, "index" | "now" | "client" | "held">

/** The deeds of one kind, by operation; those of `revoke` and `pristine` by these names. */
export class Probe {
  readonly #deeds = new Set<string>()
  readonly #replies = new Map<string, string>()
  readonly #callers = new Map<string, Set<string>>()
  /** The only action of the run, if there is one. */
  #action: string | undefined

  /** Runs each action alone, and then all of them with seeds from 1 on. */
  constructor(kind: AnyKind, seeds: number) {
    const mutant = inKind(kind.name, (kind) => this.#watch(kind))
    for (const action of mutant.actions) {
      this.#action = action
      run(draw(1, { actions: [action] }), mutant)
    }
    this.#action = undefined
    for (let seed = 1; seed <= seeds; seed++) run(draw(seed, mutant), mutant)
  }

  /** The actions that call an operation. */
  callersOf(operation: string): ReadonlyArray<string> {
    return [...this.#callers.get(operation) ?? []]
  }

  /** Whether an operation, or `revoke` or `pristine`, has done something. */
  has(where: string, deed: Deed): boolean {
    return this.#deeds.has(`${where} ${deed}`)
  }

  #note(where: string, deed: Deed): void {
    this.#deeds.add(`${where} ${deed}`)
  }

  #watch({ operations, pristine, revoke }: AnyKind): Partial<AnyKind> {
    return {
      operations: Object.fromEntries(
        Object.entries<AnyOperation>(operations).map((
          [name, operation]
        ) => [name, this.#watchOperation(name, operation)])
      ),
      revoke: (state, grant, reason, at) => {
        this.#note("revoke", `revokes: ${reason}`)
        const before = new Set(listsOf(state).flat())
        revoke?.(state, grant, reason, this.#watchAt("revoke", at))
        if (listsOf(state).flat().some((item) => !before.has(item))) this.#note("revoke", "puts back")
      },
      pristine: (state) => {
        const isPristine = pristine(state)
        if (!isPristine) this.#note("pristine", "is not pristine")
        return isPristine
      }
    }
  }

  #watchOperation(name: string, { apply, decide, ...operation }: AnyOperation): AnyOperation {
    const callers = new Set<string>()
    this.#callers.set(name, callers)
    return {
      ...operation,
      decide: (state, args, at) => {
        if (this.#action !== undefined) callers.add(this.#action)
        const decision = decide(state, args, this.#watchAt(name, at))
        if (decision._tag === "Wait") this.#note(name, "waits")
        if (decision._tag === "Refuse") this.#note(name, "refuses")
        if (decision._tag === "Answer") this.#note(name, "answers")
        return decision
      },
      apply: (state, args, at) => {
        const reply = apply(state, args, this.#watchAt(name, at))
        const text = JSON.stringify(reply)
        if (reply.length > 0) this.#note(name, "replies")
        if ((this.#replies.get(name) ?? text) !== text) this.#note(name, "replies differently")
        this.#replies.set(name, text)
        return reply
      }
    }
  }

  #watchAt(where: string, at: At): At {
    const note = (deed: Deed) => this.#note(where, deed)
    return {
      index: at.index,
      upcoming: at.upcoming,
      now: at.now,
      session: at.session,
      client: at.client,
      get since() {
        if (at.since !== undefined) note("since")
        return at.since
      },
      get isBehind() {
        if (at.isBehind) note("isBehind")
        return at.isBehind
      },
      isWatched: at.isWatched,
      held: (id) => at.held(id),
      settle: (id) => {
        note("settle")
        at.settle(id)
      },
      revoke: (id) => {
        note("revoke")
        at.revoke(id)
      },
      expire: (milliseconds) => {
        note("expire")
        at.expire(milliseconds)
      },
      retain: (cell) => {
        if (cell.handles.length > 0) note("retain")
        at.retain(cell)
      },
      release: (cell) => {
        if (cell.handles.length > 0) note("release")
        at.release(cell)
      },
      grow: (bytes) => {
        note("grow")
        at.grow(bytes)
      },
      wakes: (entry, text) => {
        note("wakes")
        at.wakes(entry, text)
      },
      changed: (change) => {
        note("changed")
        at.changed(change)
      }
    }
  }
}

/** The lists that are parts of a state. */
export const listsOf = (state: object): ReadonlyArray<Array<unknown>> => Object.values(state).filter(Array.isArray)
