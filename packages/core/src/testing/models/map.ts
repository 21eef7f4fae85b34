/** Values by key, in order of first insertion, each with the index of the change that wrote it. */
import type { Argument } from "../../engine/Value.ts"
import { type Answer, type Call, holds, type MakeModel, type Model, notHeld, type Reply } from "./Model.ts"
import { TurnModel } from "./turn.ts"

interface Entry {
  readonly value: Argument
  readonly version: number
}

const absent: Entry = { value: null, version: 0 }

class MapModel implements Model {
  readonly unguarded = new Set(["endTurn"])
  told: Array<Reply> = []
  readonly #entries: Map<string, Entry>
  readonly #turn: TurnModel

  constructor(entries?: ReadonlyMap<string, Entry>, turn = new TurnModel()) {
    this.#entries = new Map(entries)
    this.#turn = turn
  }

  get grants() {
    return this.#turn.grants
  }

  look({ args, operation, session }: Call): Answer | undefined {
    const key = String(args[0])
    const { value, version } = this.#entries.get(key) ?? absent
    switch (operation) {
      case "get":
        return { reply: [value, version] }
      case "has":
        return { reply: [this.#entries.has(key) ? 1 : 0] }
      case "size":
        return { reply: [this.#entries.size] }
      case "entries":
        return { reply: this.snapshot() }
      case "setIfAbsent":
        return this.#entries.has(key) ? { reply: [value, version] } : undefined
      case "remove":
        return this.#entries.has(key) ? undefined : { reply: [null, 0] }
      case "clear":
        return this.#entries.size > 0 ? undefined : { reply: [] }
      case "compareAndSet":
        return this.#turn.yields(session, args[3]) || version !== args[1] ? { reply: [0, value, version] } : undefined
      case "endTurn":
        return holds(this, session, args[0]) ? undefined : notHeld
    }
    return undefined
  }

  change(call: Call): Reply | undefined {
    this.told = []
    if (this.look(call) !== undefined) return undefined
    const { args, index, operation } = call
    const key = String(args[0])
    const { value, version } = this.#entries.get(key) ?? absent
    switch (operation) {
      case "set":
        this.#write(key, args[1]!, index)
        return []
      case "setIfAbsent":
        this.#write(key, args[1]!, index)
        return [null, 0]
      case "remove":
        this.#write(key, null, index)
        return [value, version]
      case "clear":
        for (const each of this.#entries.keys()) this.#write(each, null, index)
        return []
      case "compareAndSet":
        this.#write(key, args[2]!, index)
        this.#turn.end(args[3])
        return [1, null, 0]
      case "turn":
        return this.#turn.holder === undefined ? [this.#turn.begin(call), value, version] : undefined
      case "endTurn":
        this.#turn.end(args[0])
        return []
    }
    return undefined
  }

  revoke(grant: number): void {
    this.#turn.end(grant)
  }

  snapshot(): Reply {
    return [...this.#entries].flatMap(([key, { value }]): Reply => [key, value])
  }

  isPristine(): boolean {
    return this.#entries.size === 0 && this.#turn.holder === undefined
  }

  state(): unknown {
    return [[...this.#entries], this.#turn.holder]
  }

  copy(): MapModel {
    return new MapModel(this.#entries, new TurnModel(this.#turn.holder, this.#turn.grants))
  }

  /** `null` removes the entry. */
  #write(key: string, value: Argument, version: number): void {
    if (value === null && !this.#entries.delete(key)) return
    if (value !== null) this.#entries.set(key, { value, version })
    this.told.push([key, value])
  }
}

/** An empty map. */
export const makeMap: MakeModel = () => new MapModel()
