/**
 * The step in progress, as kinds see it.
 */
import * as Conditions from "./Conditions.ts"
import * as GrantRecords from "./GrantRecords.ts"
import type { SessionId } from "./Inputs.ts"
import type { At, Client, Grant, GrantId, Reply } from "./Operation.ts"
import * as References from "./References.ts"
import type { EngineState, SharedObject } from "./State.ts"
import type { Cell } from "./Value.ts"
import * as Watchers from "./Watchers.ts"

/** The step in progress, as kinds see it. One per engine: a kind must not keep it. */
export class Step implements At {
  readonly #state: EngineState
  #object: SharedObject | undefined
  #session: SessionId = 0
  since: number | undefined
  isBehind = false
  upcoming = 0
  expiry: number | undefined

  constructor(state: EngineState) {
    this.#state = state
  }

  of(object: SharedObject, session: SessionId, since?: number, isBehind = false): this {
    this.#object = object
    this.#session = session
    this.since = since
    this.isBehind = isBehind
    this.expiry = undefined
    return this
  }

  get index(): number {
    return this.#state.index
  }

  get now(): number {
    return this.#state.now
  }

  get session(): SessionId {
    return this.#session
  }

  get client(): Client {
    return this.#state.sessions.get(this.#session)!.label
  }

  held(id: GrantId): Grant | undefined {
    const grant = this.#object!.grants.get(id)
    return grant?.session === this.#session ? grant : undefined
  }

  settle(id: GrantId): void {
    const grant = this.#object!.grants.get(id)
    if (grant !== undefined) GrantRecords.settle(this.#state, grant)
  }

  revoke(id: GrantId): void {
    const grant = this.#object!.grants.get(id)
    if (grant === undefined) return
    GrantRecords.settle(this.#state, grant)
    this.#state.outputs.push({ _tag: "Revoked", session: grant.session, grant: id })
  }

  expire(milliseconds: number): void {
    this.expiry = milliseconds
  }

  retain(cell: Cell): void {
    References.retain(this.#state, cell)
  }

  release(cell: Cell): void {
    References.release(this.#state, cell)
  }

  grow(bytes: number): void {
    this.#state.bytes += bytes
  }

  wakes(entry: string | null, text: string): void {
    Conditions.wake(this.#object!, entry, text)
  }

  get isWatched(): boolean {
    return this.#object!.watchers.size > 0
  }

  changed(change: Reply): void {
    Watchers.tell(this.#state, this.#object!, "change", change)
  }
}
