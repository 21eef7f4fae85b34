/**
 * The handles that a session has received, until it gives them back (S-24).
 *
 * ```text
 *   reply, event ─► add ─┬─ the scope of a delivery, `make` or `Shared.acquire` ends ─► giveBack ─┐
 *                        └─ nothing can use them any more: the garbage collector says so ─────────┴─► drop
 * ```
 *
 * The list of handles of a received value stands for them: whatever is decoded from the value refers to that list.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Reply } from "../engine/Operation.ts"
import { type Argument, isCell, type ObjectId } from "../engine/Value.ts"

/** The handles of one value: in a received one they stand for what the session owes. */
type List = ReadonlyArray<ObjectId>

/** The lists of handles in values; absent: there are none. */
export const listsIn = (parts: ReadonlyArray<Argument>): ReadonlyArray<List> | undefined => {
  let lists: Array<List> | undefined
  for (const part of parts) if (isCell(part) && part.handles.length > 0) (lists ??= []).push(part.handles)
  return lists
}

/** The part of a `FinalizationRegistry` that is used. */
export interface Registry {
  readonly register: (list: List, handles: List, token: List) => void
  /** Whether it was registered. */
  readonly unregister: (token: List) => boolean
}

/** Makes the registry of a connection, which calls `collected` when a list was collected as garbage. */
export const HandleRegistry = Context.Reference<(collected: (handles: List) => void) => Registry>(
  "@effect-multiprocessing/core/HandleRegistry",
  { defaultValue: () => (collected) => new FinalizationRegistry(collected) }
)

/** The scope to which handles belong that the calls of a fiber return; absent: to the session. */
export const HandleOwner = Context.Reference<Scope.Scope | undefined>("@effect-multiprocessing/core/HandleOwner", {
  defaultValue: () => undefined
})

/** The received handles of one session. */
export class Received {
  readonly #registry: Registry
  readonly #drop: (id: ObjectId) => void
  /** How often the session has the handle of each object; absent: it need not know. */
  readonly #times: Map<ObjectId, number> | undefined
  /** The scopes, as text for people, that have ended, by the lists that belonged to them. */
  readonly #ended = new WeakMap<List, string>()

  /** `isCounted`: the session may have to tell what it has, after it has lost a link. */
  constructor(
    make: (collected: (handles: List) => void) => Registry,
    drop: (id: ObjectId) => void,
    isCounted: boolean
  ) {
    const times = isCounted ? new Map<ObjectId, number>() : undefined
    this.#times = times
    this.#drop = times === undefined ? drop : (id) => {
      count(times, [[id]], -1)
      drop(id)
    }
    this.#registry = make((handles) => handles.forEach(this.#drop))
  }

  /** Keeps the handles in what has arrived; returns whether there are any. */
  add(parts: Reply): boolean {
    const lists = listsIn(parts)
    lists?.forEach((list) => this.#registry.register(list, [...list], list))
    if (lists !== undefined && this.#times !== undefined) count(this.#times, lists, 1)
    return lists !== undefined
  }

  /** How often the session has the handle of each object, without those in some replies. */
  timesWithout(replies: ReadonlyArray<Reply>): ReadonlyMap<ObjectId, number> {
    const times = new Map(this.#times)
    for (const reply of replies) count(times, listsIn(reply) ?? [], -1)
    return times
  }

  /** Ties the handles in a reply to the scope, if any, that the fiber of the call has named for them. */
  own(parts: Reply, fiber: Fiber.Fiber<unknown, unknown> | undefined): void {
    const lists = listsIn(parts)
    const owner = lists === undefined ? undefined : fiber?.getRef(HandleOwner)
    if (owner === undefined) return
    const end = Effect.sync(() => this.#giveBack(lists, "the scope of the Shared.acquire that returned it"))
    Effect.runSync(Scope.addFinalizer(owner, end))
  }

  /**
   * Drops the handles in what has arrived, unless that has been done. Nothing may use them any more (S-24). `scope`: the
   * one that has ended, as text for people; absent: nobody got them.
   */
  giveBack(parts: Reply, scope?: string): void {
    this.#giveBack(listsIn(parts), scope)
  }

  /** The scope of a list, as text for people, if that has ended. */
  endedScope(list: List): string | undefined {
    return this.#ended.get(list)
  }

  #giveBack(lists: ReadonlyArray<List> | undefined, scope?: string): void {
    lists?.forEach((list) => {
      if (scope !== undefined && !this.#ended.has(list)) this.#ended.set(list, scope)
      if (this.#registry.unregister(list)) list.forEach(this.#drop)
    })
  }
}

/** Counts the handles in lists up or down. What comes to zero goes. */
const count = (times: Map<ObjectId, number>, lists: ReadonlyArray<List>, change: 1 | -1): void => {
  for (const list of lists) {
    for (const id of list) {
      const next = (times.get(id) ?? 0) + change
      if (next > 0) times.set(id, next)
      else times.delete(id)
    }
  }
}
