/** The shared objects and tasks of the type tests. */
import {
  Kind,
  SharedMap,
  SharedNamespace,
  SharedObject,
  SharedQueue,
  SharedRef,
  Task,
  TaskGroup
} from "@effect-multiprocessing/core"
import { Schema } from "effect"

export class Jobs extends SharedQueue.Service<Jobs>()("types/Jobs", { item: Schema.Int }) {}
export class Results extends SharedMap.Service<Results>()("types/Results", {
  key: Schema.String,
  value: Schema.Struct({ n: Schema.Int })
}) {}
export class Board extends SharedNamespace.Service<Board>()("types/Board", {
  fields: { running: Schema.Boolean, done: Schema.Int },
  initial: { running: true, done: 0 }
}) {}
export class Count extends SharedRef.Service<Count>()("types/Count", { schema: Schema.Int, initial: 0 }) {}
export class Title extends SharedRef.Service<Title>()("types/Title", { schema: Schema.String, initial: "" }) {}
/** A number here, text on the wire: the manager cannot add to it. */
export class Price extends SharedRef.Service<Price>()("types/Price", {
  schema: Schema.NumberFromString,
  initial: 0
}) {}

export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", { n: Schema.Int }) {}

export const Square = Task.make("Square", { payload: { n: Schema.Int }, success: Schema.Int, error: TooLarge })
export const Drain = Task.make("Drain", { payload: { jobs: SharedQueue.schema(Schema.Int) } })
export const Stranger = Task.make("Stranger")
export const Tasks = TaskGroup.make("types", { tasks: [Square, Drain] })

export class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { balance: Schema.Int }) {}

export const Account = Kind.make("types/Account", {
  state: Schema.Struct({ balance: Schema.Int, phase: Schema.Literals(["open", "closed"]) }),
  initial: { balance: 0, phase: "open" },
  operations: {
    deposit: Kind.change({ payload: { amount: Schema.Int }, success: Schema.Int }),
    withdraw: Kind.change({ payload: Schema.Int, error: Overdrawn }),
    close: Kind.change(),
    balance: Kind.read({ success: Schema.Int }),
    reserve: Kind.hold({ payload: Schema.Int, success: Schema.String })
  },
  transitions: {
    deposit: (state, { amount }) => Kind.reply({ ...state, balance: state.balance + amount }, state.balance + amount),
    withdraw: (state, amount) =>
      state.balance < amount
        ? Kind.fail(new Overdrawn({ balance: state.balance }))
        : Kind.done({ ...state, balance: state.balance - amount }),
    close: (state) => Kind.done({ ...state, phase: "closed" }),
    balance: ({ balance }) => Kind.succeed(balance),
    reserve: (state, amount, { index, now }) =>
      now > 0 ? Kind.waitUntil(now + amount) : index > 0 ? Kind.wait : Kind.reply(state, "reserved")
  },
  released: { reserve: (state, { payload }) => ({ ...state, balance: state.balance + payload }) },
  invariants: { "is never below zero": ({ balance }) => balance >= 0 }
})

export class Savings extends SharedObject.Service<Savings>()("types/Savings", Account) {}

/** A kind with options. */
export const Bucket = Kind.make("types/Bucket", {
  state: Schema.Int,
  options: Schema.Struct({ size: Schema.Int }),
  initial: ({ size }) => size,
  operations: { take: Kind.change() },
  transitions: { take: (size) => size > 0 ? Kind.done(size - 1) : Kind.wait }
})
