/** Named fields, each with the index of the change that wrote it: `Ref` and `Namespace`. */
import type { Argument, Cell } from "../../engine/Value.ts"
import { type Answer, type Call, holds, type MakeModel, type Model, notHeld, type Reply } from "./Model.ts"
import { TurnModel } from "./turn.ts"

interface Field {
  readonly value: Cell
  readonly version: number
  /** "integer" or "real" and minimum, maximum, above, below; empty: no number. */
  readonly option: string
}

class RecordModel implements Model {
  readonly unguarded = new Set(["endTurn"])
  told: Array<Reply> = []
  readonly #fields: Map<string, Field>
  readonly #turn: TurnModel

  constructor(fields: ReadonlyMap<string, Field>, turn = new TurnModel()) {
    this.#fields = new Map(fields)
    this.#turn = turn
  }

  get grants() {
    return this.#turn.grants
  }

  look({ args, operation, session }: Call): Answer | undefined {
    const field = this.#fields.get(String(args[0]))
    switch (operation) {
      case "getAll":
        return { reply: this.snapshot() }
      case "get":
        return { reply: field === undefined ? [] : [field.value, field.version] }
      case "setAll":
        return args.some((name, i) => i % 2 === 0 && !this.#fields.has(String(name)))
          ? { error: "UnknownField" }
          : undefined
      case "endTurn":
        return holds(this, session, args[0]) ? undefined : notHeld
    }
    if (field === undefined) return { error: "UnknownField" }
    if (operation === "add" && field.option === "") return { error: "NotANumber" }
    if (operation === "add" && !isAllowed(field, sum(field, args[1]!))) return { error: "OutOfBounds" }
    if (operation === "compareAndSet" && (this.#turn.yields(session, args[3]) || field.version !== args[1])) {
      return { reply: [0, field.value, field.version] }
    }
    return undefined
  }

  change(call: Call): Reply | undefined {
    this.told = []
    if (this.look(call) !== undefined) return undefined
    const { args, index, operation } = call
    const name = String(args[0])
    const field = this.#fields.get(name)!
    switch (operation) {
      case "set":
        this.#write(name, args[1]!, index)
        return []
      case "setAll":
        for (let i = 0; i < args.length; i += 2) this.#put(String(args[i]), args[i + 1]!, index)
        this.told.push(args)
        return []
      case "add": {
        const result = sum(field, args[1]!)
        this.#write(name, { text: JSON.stringify(result), handles: [] }, index)
        return [result]
      }
      case "compareAndSet":
        this.#write(name, args[2]!, index)
        this.#turn.end(args[3])
        return [1, null, 0]
      case "turn":
        return this.#turn.holder === undefined ? [this.#turn.begin(call), field.value, field.version] : undefined
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
    return [...this.#fields].flatMap(([name, { value }]): Reply => [name, value])
  }

  isPristine(): boolean {
    return false
  }

  state(): unknown {
    return [[...this.#fields], this.#turn.holder]
  }

  copy(): RecordModel {
    return new RecordModel(this.#fields, new TurnModel(this.#turn.holder, this.#turn.grants))
  }

  #write(name: string, value: Argument, version: number): void {
    this.#put(name, value, version)
    this.told.push([name, value])
  }

  #put(name: string, value: Argument, version: number): void {
    // An operation takes only cells here.
    this.#fields.set(name, { ...this.#fields.get(name)!, value: value as Cell, version })
  }
}

const sum = ({ value }: Field, by: Argument): number => Number(value.text) + Number(by)

const isAllowed = ({ option }: Field, result: number): boolean => {
  const [type, minimum, maximum, above, below] = option.split(" ")
  return (type !== "integer" || Number.isSafeInteger(result)) && result >= Number(minimum ?? -Infinity) &&
    result <= Number(maximum ?? Infinity) && result > Number(above ?? -Infinity) && result < Number(below ?? Infinity)
}

/** A record whose options name its fields in order. */
export const makeRecord: MakeModel = (options, values) =>
  new RecordModel(
    new Map(
      Object.entries(options).map(([name, option], i) => [
        name,
        { value: values[i] as Cell, version: 0, option: String(option) }
      ])
    )
  )
