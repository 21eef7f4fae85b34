/** Values in order, looked at and changed by position or by equality. */
import type { Argument, Cell } from "../../engine/Value.ts"
import { type Answer, type Call, holds, type MakeModel, type Model, notHeld, type Reply } from "./Model.ts"
import { ScanModel } from "./scan.ts"
import { TurnModel } from "./reservation.ts"

class ListModel implements Model {
  readonly unguarded = new Set(["endTurn", "endScan"])
  told: Array<Reply> = []
  readonly #order: string
  #items: ReadonlyArray<Cell>
  readonly #turn: TurnModel
  readonly #scans: ScanModel

  constructor(
    order: string,
    items: ReadonlyArray<Cell>,
    turn = new TurnModel(),
    scans = new ScanModel(turn.grants, 1)
  ) {
    this.#order = order
    this.#items = items
    this.#turn = turn
    this.#scans = scans
  }

  get grants() {
    return this.#turn.grants
  }

  look(call: Call): Answer | undefined {
    const { args, operation, session } = call
    const items = this.#items
    const [first, second, third] = args
    const noItem: Answer | undefined = items.at(Number(first)) === undefined ? { error: "IndexOutOfRange" } : undefined
    switch (operation) {
      case "size":
        return { reply: [items.length] }
      case "get":
        return { reply: [items.at(Number(first)) ?? null, items.length] }
      case "slice":
        return { reply: items.slice(Number(first), Number(second)) }
      case "indexOf": {
        const positions = [...items.keys()].slice(Number(second), Number(third))
        return { reply: positions.filter((i) => isEqual(items[i], first)).slice(0, 1) }
      }
      case "count":
        return { reply: [items.filter((item) => isEqual(item, first)).length] }
      case "splice":
        return args.length === 2 && items.slice(Number(first), Number(second)).length === 0
          ? { reply: [items.length] }
          : undefined
      case "set":
      case "removeAt":
      case "turn":
        return noItem
      case "remove":
        return items.some((item) => isEqual(item, first)) ? undefined : { reply: [0] }
      case "reverse":
        return items.length > 1 ? undefined : { reply: [] }
      case "sort":
        return this.#order === "" ? { error: "NotOrdered" } : items.length > 1 ? undefined : { reply: [] }
      case "compareAndSet":
        return noItem ?? (this.#turn.yields(session, args[3]) || !isEqual(items.at(Number(first)), second)
          ? { reply: [0, items.at(Number(first))!] }
          : undefined)
      case "endTurn":
        return this.#turn.holder === first && holds(this, session, first) ? undefined : notHeld
    }
    return this.#scans.look(call, () => items)
  }

  change(call: Call): Reply | undefined {
    this.told = []
    if (this.look(call) !== undefined) return undefined
    const { args, operation } = call
    const items = this.#items
    const position = items.length === 0 ? 0 : (Number(args[0]) + items.length) % items.length
    switch (operation) {
      case "splice": {
        const before = items.slice(0, Number(args[0]))
        const removed = items.slice(Number(args[0]), Number(args[1]))
        this.#splice(before.length, removed.length, args.slice(2))
        return [this.#items.length]
      }
      case "set":
        this.#splice(position, 1, args.slice(1))
        return []
      case "removeAt":
        this.#splice(position, 1, [])
        return [items[position]!]
      case "remove":
        this.#splice(items.findIndex((item) => isEqual(item, args[0])), 1, [])
        return [1]
      case "reverse":
        this.#items = items.toReversed()
        this.told.push(["reverse"])
        return []
      case "sort":
        this.#items = items.toSorted(this.#compare)
        if (args[0] !== 0) this.#items = this.#items.toReversed()
        this.told.push(["sort", args[0]!])
        return []
      case "compareAndSet":
        this.#splice(position, 1, [args[2]!])
        this.#turn.end(args[3])
        return [1, null]
      case "turn":
        return this.#turn.holder === undefined ? [this.#turn.begin(call), items[position]!] : undefined
      case "endTurn":
        this.#turn.end(args[0])
        return []
    }
    return this.#scans.change(call, () => items)
  }

  revoke(grant: number): void {
    this.#turn.end(grant)
    this.#scans.end(grant)
  }

  snapshot(): Reply {
    return this.#items
  }

  isPristine(): boolean {
    return this.#items.length === 0 && this.grants.size === 0
  }

  state(): unknown {
    return [this.#items, this.#turn.holder, this.#scans.state()]
  }

  copy(): ListModel {
    const turn = new TurnModel(this.#turn.holder, this.#turn.grants)
    return new ListModel(this.#order, this.#items, turn, this.#scans.copy(turn.grants))
  }

  readonly #compare = (left: Cell, right: Cell): number => {
    const [a, b] = [this.#key(left), this.#key(right)]
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a))
    return a < b ? -1 : a > b ? 1 : 0
  }

  #key({ text }: Cell): number | bigint | string {
    const value = JSON.parse(text) as number | string
    return this.#order === "string" ? value : this.#order === "bigint" ? BigInt(value) : Number(value)
  }

  #splice(start: number, removed: number, values: Reply): void {
    // An operation takes only cells here.
    const cells = values as ReadonlyArray<Cell>
    this.#items = [...this.#items.slice(0, start), ...cells, ...this.#items.slice(start + removed)]
    this.told.push(["splice", start, removed, ...cells])
  }
}

const isEqual = (item: Cell | undefined, other: Argument | undefined): boolean =>
  item !== undefined && item.text === (other as Cell).text

/** A list, sorted as its option says. */
export const makeList: MakeModel = ({ order }, values) => new ListModel(String(order), values as ReadonlyArray<Cell>)
