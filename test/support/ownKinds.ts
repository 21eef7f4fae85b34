/** Own kinds of several tests. */
import { Kind } from "@effect-multiprocessing/core"
import { Option, Schema } from "effect"

/** Readers together or one writer, first come first served. */
export const ReadWriteLock = Kind.make("test/ReadWriteLock", {
  state: Schema.Struct({ readers: Schema.Int, isWriting: Schema.Boolean }),
  initial: { readers: 0, isWriting: false },
  operations: {
    // In one lane: readers that come later do not overtake a writer, and a writer waits for no later reader.
    read: Kind.hold({ lane: "waiting", holdFor: "4 minutes" }),
    write: Kind.hold({ lane: "waiting", holdFor: "4 minutes", success: Schema.Int }),
    readers: Kind.read({ success: Schema.Int })
  },
  transitions: {
    read: (state) => state.isWriting ? Kind.wait : Kind.done({ ...state, readers: state.readers + 1 }),
    write: (state, _, { index }) =>
      state.isWriting || state.readers > 0 ? Kind.wait : Kind.reply({ ...state, isWriting: true }, index),
    readers: ({ readers }) => Kind.succeed(readers)
  },
  released: {
    read: (state) => ({ ...state, readers: state.readers - 1 }),
    write: (state) => ({ ...state, isWriting: false })
  },
  invariants: { "readers or one writer": ({ isWriting, readers }) => readers === 0 || readers > 0 && !isWriting }
})

/** A stack of at most three numbers: its calls wait, and its options say with which it begins. */
export const Stack = Kind.make("test/Stack", {
  state: Schema.Array(Schema.Int),
  options: Schema.Struct({ first: Schema.Array(Schema.Int) }),
  initial: ({ first }) => first,
  operations: {
    push: Kind.change({ payload: Schema.Int }),
    pop: Kind.change({ success: Schema.Int }),
    poll: Kind.change({ success: Schema.OptionFromNullOr(Schema.Int) }),
    size: Kind.read({ success: Schema.Int })
  },
  transitions: {
    push: (items, item) => items.length === 3 ? Kind.wait : Kind.done([...items, item]),
    pop: (items) => items.length === 0 ? Kind.wait : Kind.reply(items.slice(0, -1), items.at(-1)!),
    poll: (items) => {
      const [top] = items.slice(-1)
      return top === undefined ? Kind.succeed(Option.none()) : Kind.reply(items.slice(0, -1), Option.some(top))
    },
    size: ({ length }) => Kind.succeed(length)
  },
  invariants: { "has at most three": ({ length }) => length <= 3 }
})

/** Somebody has the file. */
export class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {}

/** Readers or one writer, whose holds have no time: a deadlock may go through them. What `SharedReadWriteLock` is. */
export const File = Kind.make("test/File", {
  state: Schema.Struct({ readers: Schema.Int, isWriting: Schema.Boolean }),
  initial: { readers: 0, isWriting: false },
  operations: {
    read: Kind.hold({ lane: "waiting" }),
    write: Kind.hold({ lane: "waiting" }),
    writeIfFree: Kind.hold({ error: Busy })
  },
  transitions: {
    read: (state) => state.isWriting ? Kind.wait : Kind.done({ ...state, readers: state.readers + 1 }),
    write: (state) => state.isWriting || state.readers > 0 ? Kind.wait : Kind.done({ ...state, isWriting: true }),
    writeIfFree: (state) =>
      state.isWriting || state.readers > 0 ? Kind.fail(new Busy()) : Kind.done({ ...state, isWriting: true })
  },
  released: {
    read: (state) => ({ ...state, readers: state.readers - 1 }),
    write: (state) => ({ ...state, isWriting: false }),
    writeIfFree: (state) => ({ ...state, isWriting: false })
  }
})

/** Those of the tests that run on every deployment. */
export const ownKinds = [ReadWriteLock, Stack, File]
