/** Values in order, looked at and changed by position or by equality. */
import type { Argument, Cell } from "../../engine/Value.ts"
import { type Answer, type Call, type MakeModel, type Model, type Reply } from "./Model.ts"
import { type Entry, ReservationModel } from "./reservation.ts"
import { ScanModel } from "./scan.ts"

class ListModel implements Model {
  readonly unguarded = new Set(["endReservation", "endScan"])
  told: Array<Reply> = []
  readonly #order: string
  #items: ReadonlyArray<Cell>
  readonly #reservations: ReservationModel
  readonly #scans: ScanModel

  constructor(
    order: string,
    items: ReadonlyArray<Cell>,
    reservations = new ReservationModel(),
    scans = new ScanModel(reservations.grants, 1)
  ) {
    this.#order = order
    this.#items = items
    this.#reservations = reservations
    this.#scans = scans
  }

  get grants() {
    return this.#reservations.grants
  }

  look(call: Call): Answer | undefined {
    const { args, operation } = call
    const items = this.#items
    const [first, second, third] = args
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
        return this.#absent(call)
      case "remove":
        return items.some((item) => isEqual(item, first)) ? undefined : { reply: [0] }
      case "reverse":
        return items.length > 1 ? undefined : { reply: [] }
      case "sort":
        return this.#order === "" ? { error: "NotOrdered" } : items.length > 1 ? undefined : { reply: [] }
    }
    return this.#scans.look(call, () => items) ?? this.#reservations.look(call, () => this.#entry(call))
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
    }
    return this.#scans.change(call, () => items) ??
      this.#reservations.change(call, () => this.#entry(call), () => this.#splice(position, 1, [args[2]!]))
  }

  revoke(grant: number): void {
    this.#reservations.end(grant)
    this.#scans.end(grant)
  }

  snapshot(): Reply {
    return this.#items
  }

  isPristine(): boolean {
    return this.#items.length === 0 && this.grants.size === 0
  }

  state(): unknown {
    return [this.#items, this.#reservations.holder, this.#scans.state()]
  }

  copy(): ListModel {
    const reservations = this.#reservations.copy()
    return new ListModel(this.#order, this.#items, reservations, this.#scans.copy(reservations.grants))
  }

  #absent({ args }: Call): Answer | undefined {
    return this.#items.at(Number(args[0])) === undefined ? { error: "IndexOutOfRange" } : undefined
  }

  #entry(call: Call): Entry {
    const item = this.#items.at(Number(call.args[0]))
    return { absent: this.#absent(call), found: [item!], isExpected: isEqual(item, call.args[1]) }
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
  item !== undefined && item.text === (other as Cell | undefined)?.text

/** A list, sorted as its option says. */
export const makeList: MakeModel = ({ order }, values) => new ListModel(String(order), values as ReadonlyArray<Cell>)
