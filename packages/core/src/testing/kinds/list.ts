/** Values in order, looked at and changed by position or by equality. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { list as kind } from "../../engine/kinds/list.ts"
import { type Argument, type Cell, isCell, isEqual } from "../../engine/Value.ts"
import * as SharedList from "../../SharedList.ts"
import * as Transaction from "../../Transaction.ts"
import { Handle, makeHandle } from "./handle.ts"
import { type Answer, type Call, type Model, type Reply } from "./Model.ts"
import { type Entry, holdReservation, ReservationModel } from "./reservation.ts"
import { scan, ScanModel } from "./scan.ts"
import { remoteOf, specimen } from "./Specimen.ts"

class ListModel implements Model {
  readonly unguarded = new Set(["endReservation", "endScan"])
  told: Array<Reply> = []
  readonly #order: string
  #items: ReadonlyArray<Cell>
  /** The index of the last change. */
  #version: number
  readonly #reservations: ReservationModel
  readonly #scans: ScanModel

  constructor(
    order: string,
    items: ReadonlyArray<Cell>,
    version = 0,
    reservations = new ReservationModel(),
    scans = new ScanModel(reservations.grants, 1)
  ) {
    this.#order = order
    this.#items = items
    this.#version = version
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
        return { reply: [items.length, this.#version] }
      case "check":
        return first === this.#version ? { reply: [] } : { error: "Conflict" }
      case "untilChanged":
        return first === this.#version ? undefined : { reply: [] }
      case "get":
        return { reply: [items.at(Number(first)) ?? null, items.length] }
      case "slice":
        return { reply: items.slice(Number(first), Number(second)) }
      case "indexOf": {
        const positions = [...items.keys()].slice(Number(second), Number(third))
        return { reply: positions.filter((i) => isItem(items[i], first)).slice(0, 1) }
      }
      case "count":
        return { reply: [items.filter((item) => isItem(item, first)).length] }
      case "splice":
        return args.length === 2 && items.slice(Number(first), Number(second)).length === 0
          ? { reply: [items.length] }
          : undefined
      case "set":
      case "removeAt":
        return this.#absent(call)
      case "remove":
        return items.some((item) => isItem(item, first)) ? undefined : { reply: [0] }
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
    const reply = this.#change(call)
    if (this.told.length > 0) this.#version = call.index
    return reply
  }

  #change(call: Call): Reply | undefined {
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
        this.#splice(items.findIndex((item) => isItem(item, args[0])), 1, [])
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
    this.told = []
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
    return [this.#items, this.#version, this.#reservations.holder, this.#scans.state()]
  }

  copy(): ListModel {
    const reservations = this.#reservations.copy()
    return new ListModel(this.#order, this.#items, this.#version, reservations, this.#scans.copy(reservations.grants))
  }

  #absent({ args }: Call): Answer | undefined {
    return this.#items.at(Number(args[0])) === undefined ? { error: "IndexOutOfRange" } : undefined
  }

  #entry(call: Call): Entry {
    const item = this.#items.at(Number(call.args[0]))
    return { absent: this.#absent(call), found: [item!], isExpected: isItem(item, call.args[1]) }
  }

  readonly #compare = (left: Cell, right: Cell): number => {
    const [a, b] = [this.#key(left), this.#key(right)]
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a))
    return a < b ? -1 : a > b ? 1 : 0
  }

  #key(item: Cell): number | bigint | string {
    const value = (item.bytes === undefined ? JSON.parse(item.text) : "") as number | string
    return this.#order === "string" ? value : this.#order === "bigint" ? BigInt(value) : Number(value)
  }

  #splice(start: number, removed: number, values: Reply): void {
    // An operation takes only cells here.
    const cells = values as ReadonlyArray<Cell>
    this.#items = [...this.#items.slice(0, start), ...cells, ...this.#items.slice(start + removed)]
    this.told.push(["splice", start, removed, ...cells])
  }
}

const isItem = (item: Cell | undefined, other: Argument | undefined): boolean =>
  item !== undefined && isCell(other) && isEqual(item, other)

/** The specimen of `List`. */
export const list = specimen({
  kind,
  model: ({ order }, values) => new ListModel(String(order), values as ReadonlyArray<Cell>),
  harmless: {
    "endReservation/refused-and-done": "a client ends no reservation of another one, and its own only once"
  },
  samples: {
    /** Short, of few values, so that positions and values meet. */
    lines: (name) => SharedList.make({ name, item: Schema.Int }),
    words: (name) => SharedList.make({ name, item: Schema.String, initial: ["b", "a"] }),
    shelf: (name) => SharedList.make({ name, item: Handle })
  },
  actions: {
    append: ({ lines }, { random }) => lines.append(random.below(5)),
    appendAll: ({ lines }, { random }) => lines.appendAll([random.below(5), 1, 2]),
    insert: ({ lines }, { random }) => lines.insert(random.below(4) - 2, random.below(5)),
    set: ({ lines }, { random }) => lines.set(random.below(4) - 2, random.below(5)),
    get: ({ lines }, { random }) => lines.get(random.below(4) - 2),
    items: ({ lines }, { random }) => random.chance(1 / 2) ? lines.toArray : lines.slice(1, -1),
    search: ({ lines }, { random }) =>
      random.pick<Effect.Effect<unknown, unknown>>([
        lines.indexOf(random.below(5), 1),
        lines.includes(1),
        lines.count(2),
        lines.size
      ]),
    pop: ({ lines }, { impatiently }) => impatiently(lines.pop),
    removeAt: ({ lines }, { random }) => lines.removeAt(random.below(3)),
    remove: ({ lines }, { random }) => lines.remove(random.below(5)),
    replaceSlice: ({ lines }, { random }) => lines.replaceSlice(random.below(3), 2, [random.below(5)]),
    modifyAt: ({ lines }, { impatiently, random }) =>
      impatiently(lines.modifyAt(random.below(3) - 1, (n) => [n, n + 1])),
    modifyWord: ({ words }, { impatiently, random }) =>
      impatiently(words.modifyAt(random.below(2), (word) => [word, word === "a" ? "b" : "a"])),
    transact: ({ lines }, { impatiently, random }) =>
      impatiently(Transaction.tx(Effect.gen(function*() {
        yield* lines.tx.append(random.below(9))
        const items = yield* lines.tx.toArray
        if (items.length === 1 && random.chance(1 / 4)) return yield* Transaction.txRetry
        yield* Effect.ignore(lines.tx.set(random.below(items.length), random.below(9)))
        yield* Effect.ignore(lines.tx.removeAt(random.below(items.length)))
      }))),
    checkOnly: ({ lines }, { random }) =>
      Effect.exit(remoteOf(lines, kind).call("check", [random.below(3)], () => Exit.void)),
    holdReservation: ({ words }, actor) => {
      const remote = remoteOf(words, kind)
      return holdReservation(
        actor,
        remote.call("reserve", [0], ([reservation]) => Exit.succeed(reservation)),
        (reservation) => remote.call("endReservation", [reservation], () => Exit.void)
      )
    },
    reorder: ({ lines, words }, { random }) =>
      random.pick<Effect.Effect<unknown, unknown>>([lines.reverse, lines.sort, lines.sortDescending, words.sort]),
    rename: ({ words }, { random }) => words.set(random.below(2), random.pick(["a", "b", "c"])),
    clear: ({ lines }) => lines.clear,
    scan: ({ lines }, actor) => scan(actor, remoteOf(lines, kind)),
    watch: ({ lines }, { watch }) => watch(lines.changes),
    untilShort: ({ lines }) => lines.until((items) => items.length < 2),
    shelve: ({ shelf }, { random }) =>
      Effect.flatMap(makeHandle, (handle) => random.chance(1 / 2) ? shelf.append(handle) : shelf.set(0, handle)),
    unshelve: ({ shelf }, { random }) =>
      Effect.flatMap(
        random.chance(1 / 2) ? shelf.pop : shelf.get(0),
        Option.match({ onNone: () => Effect.void, onSome: (handle) => handle.increment })
      ),
    watchShelf: ({ shelf }, { watch }) => watch(shelf.changes),
    scanShelf: ({ shelf }, actor) => scan(actor, remoteOf(shelf, kind))
  },
  help: ({ lines }) => [lines.append(0), lines.clear]
})
