/** A bank: accounts between which money is transferred. Money is neither made nor lost, whatever becomes of a process. */
import { Kind, SharedObject } from "@effect-multiprocessing/core"
import { Schema } from "effect"

/** The account has less than that. Nothing was transferred. */
export class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", {
  account: Schema.String,
  balance: Schema.Int
}) {}

const Amount = Schema.Int.check(Schema.isGreaterThan(0))
const Transfer = { from: Schema.String, to: Schema.String, amount: Amount }

const State = Schema.Struct({
  balances: Schema.Record(Schema.String, Schema.Int),
  /** What was paid into the bank, and not out of it. */
  deposits: Schema.Int
})

type Balances = typeof State.Type["balances"]

const balanceOf = (balances: Balances, account: string): number => balances[account] ?? 0

const add = (balances: Balances, account: string, amount: number): Balances => ({
  ...balances,
  [account]: balanceOf(balances, account) + amount
})

/** The money in all accounts. */
export const total = ({ balances }: typeof State.Type): number =>
  Object.values(balances).reduce((sum, balance) => sum + balance, 0)

/** The kind of a bank. */
export const Bank = Kind.make("bank/Bank", {
  state: State,
  initial: { balances: {}, deposits: 0 },
  operations: {
    deposit: Kind.change({ payload: { account: Schema.String, amount: Amount } }),
    /** Waits until the account has that much. */
    withdraw: Kind.change({ payload: { account: Schema.String, amount: Amount } }),
    /** Fails if the account has less. */
    transfer: Kind.change({ payload: Transfer, success: Schema.Int, error: Overdrawn }),
    /** Waits until the account has that much. */
    pay: Kind.change({ payload: Transfer }),
    balance: Kind.read({ payload: Schema.String, success: Schema.Int }),
    total: Kind.read({ success: Schema.Int })
  },
  transitions: {
    deposit: ({ balances, deposits }, { account, amount }) =>
      Kind.done({ balances: add(balances, account, amount), deposits: deposits + amount }),
    withdraw: ({ balances, deposits }, { account, amount }) =>
      balanceOf(balances, account) < amount
        ? Kind.wait
        : Kind.done({ balances: add(balances, account, -amount), deposits: deposits - amount }),
    transfer: (state, { amount, from, to }) => {
      const balance = balanceOf(state.balances, from) - amount
      if (balance < 0) return Kind.fail(new Overdrawn({ account: from, balance: balance + amount }))
      return Kind.reply({ ...state, balances: add(add(state.balances, from, -amount), to, amount) }, balance)
    },
    pay: (state, { amount, from, to }) =>
      balanceOf(state.balances, from) < amount
        ? Kind.wait
        : Kind.done({ ...state, balances: add(add(state.balances, from, -amount), to, amount) }),
    balance: ({ balances }, account) => Kind.succeed(balanceOf(balances, account)),
    total: (state) => Kind.succeed(total(state))
  },
  invariants: {
    "money is neither made nor lost": (state) => total(state) === state.deposits,
    "no account is overdrawn": ({ balances }) => Object.values(balances).every((balance) => balance >= 0)
  }
})

/** The bank of this program. */
export class TheBank extends SharedObject.Service<TheBank>()("bank/TheBank", Bank) {}

/** A branch of it, where everybody has a second account. */
export class TheBranch extends SharedObject.Service<TheBranch>()("bank/TheBranch", Bank) {}
