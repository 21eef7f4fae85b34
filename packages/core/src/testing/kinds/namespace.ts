/** Values under declared names. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { namespace as kind } from "../../engine/kinds/record.ts"
import * as SharedNamespace from "../../SharedNamespace.ts"
import { Handle, makeHandle } from "./handle.ts"
import { holdReservationOf, makeClosed, transact } from "./record.ts"
import { remoteOf, specimen } from "./Specimen.ts"

const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))

/** The specimen of `Namespace`. */
export const namespace = specimen({
  kind,
  model: makeClosed,
  samples: {
    board: (name) =>
      SharedNamespace.make({
        name,
        fields: { running: Schema.Boolean, count: Count, pointer: Schema.NullOr(Handle) },
        initial: { running: true, count: 0, pointer: null }
      })
  },
  actions: {
    get: ({ board }) => board.get,
    getField: ({ board }) => board.fields.count.get,
    set: ({ board }, { random }) => board.set({ running: random.chance(1 / 2), count: random.below(20) }),
    setField: ({ board }, { random }) => board.fields.running.set(random.chance(1 / 2)),
    add: ({ board }, { random }) => board.fields.count.add(random.below(15)),
    /** A field that is no number, one that nobody has declared, and one that stays. */
    refused: ({ board }, { random }) => {
      const remote = remoteOf(board, kind)
      return Effect.exit(random.pick<Effect.Effect<unknown, unknown>>([
        remote.call("add", ["running", 1], () => Exit.void),
        remote.call("get", ["other"], () => Exit.void),
        remote.call("untilAtLeast", ["other", 0], () => Exit.void),
        remote.call("compareAndSet", ["count", 0, null, 0], () => Exit.void)
      ]))
    },
    modify: ({ board }, { impatiently }) => impatiently(board.fields.count.modify((n) => [n, (n + 1) % 20])),
    holdReservation: ({ board }, actor) => holdReservationOf(actor, remoteOf(board, kind), "count"),
    untilEquals: ({ board }, { impatiently, random }) =>
      impatiently(board.fields.running.untilEquals(random.chance(1 / 2))),
    untilCount: ({ board }, { impatiently, random }) =>
      impatiently(random.chance(1 / 2) ? board.fields.count.untilAtLeast(15) : board.fields.count.untilAtMost(3)),
    transact: ({ board }, actor) => {
      const { count } = board.fields
      return transact(actor, count.tx, count.tx, (n, by) => n + by < 0 ? undefined : (n + by) % 20)
    },
    until: ({ board }) => board.fields.running.until((running) => !running),
    watch: ({ board }, { watch }) => watch(board.changes),
    point: ({ board }) => Effect.flatMap(makeHandle, board.fields.pointer.set),
    follow: ({ board }) =>
      Effect.flatMap(board.fields.pointer.get, (handle) => handle === null ? Effect.void : handle.increment)
  },
  help: ({ board }) => [board.set({ running: true, count: 15 }), board.set({ running: false, count: 0 })]
})
