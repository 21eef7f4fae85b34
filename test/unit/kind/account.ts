/** A kind with every form of operation, and with transitions that break each rule. */
import { Kind, SharedObject } from "@effect-multiprocessing/core"
import { Schema } from "effect"

export class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { balance: Schema.Int }) {}

/** An account: paid into, paid out of, and of which a part can be reserved. */
export const Account = Kind.make("test/Account", {
  state: Schema.Struct({ balance: Schema.Int, reserved: Schema.Int }),
  initial: { balance: 0, reserved: 0 },
  operations: {
    deposit: Kind.change({ payload: Schema.Int, success: Schema.Int }),
    withdraw: Kind.change({ payload: { amount: Schema.Int }, success: Schema.Int, error: Overdrawn }),
    /** Waits until the money is there. */
    spend: Kind.change({ payload: Schema.Int }),
    clear: Kind.change(),
    balance: Kind.read({ success: Schema.Int }),
    untilAtLeast: Kind.read({ payload: Schema.Int, success: Schema.Int }),
    reserve: Kind.hold({ payload: Schema.Int, success: Schema.Int, error: Overdrawn })
  },
  transitions: {
    deposit: (state, amount) => Kind.reply({ ...state, balance: state.balance + amount }, state.balance + amount),
    withdraw: (state, { amount }) =>
      state.balance < amount
        ? Kind.fail(new Overdrawn({ balance: state.balance }))
        : Kind.reply({ ...state, balance: state.balance - amount }, state.balance - amount),
    spend: (state, amount) =>
      state.balance < amount ? Kind.wait : Kind.done({ ...state, balance: state.balance - amount }),
    clear: (state) => Kind.done({ ...state, balance: 0 }),
    balance: ({ balance }) => Kind.succeed(balance),
    untilAtLeast: ({ balance }, least) => balance < least ? Kind.wait : Kind.succeed(balance),
    reserve: ({ balance, reserved }, amount) =>
      amount < 0
        ? Kind.fail(new Overdrawn({ balance }))
        : balance < amount
        ? Kind.wait
        : Kind.reply({ balance: balance - amount, reserved: reserved + amount }, reserved + amount)
  },
  released: {
    reserve: ({ balance, reserved }, { payload }) => ({ balance: balance + payload, reserved: reserved - payload })
  },
  invariants: {
    "nothing is overdrawn": ({ balance, reserved }) => balance >= 0 && reserved >= 0
  }
})

export class Savings extends SharedObject.Service<Savings>()("test/Savings", Account) {}

const Misdeed = Schema.Literals([
  "throws",
  "throws what has no text",
  "returns nothing",
  "returns a promise",
  "returns another tag",
  "returns a state that does not fit",
  "writes to the state",
  "writes into the state",
  "returns a value that does not fit",
  "returns an error that does not fit",
  "waits until no time"
])

/** Every way in which a transition can be wrong. */
export const misdeeds = Misdeed.literals

/** A kind whose transitions are wrong, as a program without types could have them. */
export const Wrong = Kind.make("test/Wrong", {
  state: Schema.Struct({ items: Schema.Array(Schema.Struct({ n: Schema.Int })) }),
  initial: { items: [{ n: 1 }] },
  operations: {
    commit: Kind.change({ payload: Misdeed, success: Schema.Int, error: Overdrawn }),
    look: Kind.read(),
    take: Kind.hold(),
    count: Kind.read({ success: Schema.Int })
  },
  transitions: {
    commit: (state, misdeed) => {
      const { items } = state as { items: Array<{ n: number }> }
      switch (misdeed) {
        case "throws":
          throw new Error("a transition that throws")
        case "throws what has no text":
          throw Object.create(null)
        case "writes to the state":
          items.push({ n: 2 })
          break
        case "writes into the state":
          items[0]!.n = 2
          break
        case "returns a state that does not fit":
          return Kind.reply({ items: [...items, { n: 0.5 }] }, 1)
        case "returns a value that does not fit":
          return Kind.reply({ items: [] }, 0.5)
        case "returns an error that does not fit":
          return Kind.fail({ balance: 1 } as Overdrawn)
        case "waits until no time":
          return Kind.waitUntil(NaN)
        case "returns a promise":
          return Promise.resolve(Kind.reply({ items }, 1)) as never
        case "returns another tag":
          return { _tag: "Some", value: 1 } as never
        case "returns nothing":
          return undefined as never
      }
      return Kind.reply({ items: [] }, 1)
    },
    look: () => Kind.done({ items: [] }) as never,
    take: () => Kind.succeed(undefined) as never,
    count: ({ items }) => Kind.succeed(items.length)
  },
  released: { take: (state) => state }
})
