/** A value, or a number. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { ref as kind } from "../../engine/kinds/record.ts"
import { cell } from "../../engine/Value.ts"
import * as SharedRef from "../../SharedRef.ts"
import { Handle, makeHandle } from "./handle.ts"
import { holdReservationOf, makeClosed, transact } from "./record.ts"
import { remoteOf, specimen } from "./Specimen.ts"

/** The specimen of `Ref`. */
export const ref = specimen({
  kind,
  model: makeClosed,
  samples: {
    counter: (name) => SharedRef.make({ name, schema: Schema.Int, initial: 0 }),
    text: (name) => SharedRef.make({ name, schema: Schema.String, initial: "" }),
    pointer: (name) => SharedRef.make({ name, schema: Schema.NullOr(Handle), initial: null })
  },
  actions: {
    get: ({ counter }) => counter.get,
    set: ({ counter }, { random }) => counter.set(random.below(10)),
    add: ({ counter }, { random }) => counter.add(random.below(5)),
    increment: ({ counter }) => counter.increment,
    modify: ({ counter }, { impatiently }) => impatiently(counter.modify((n) => [n, n + 1])),
    update: ({ text }, { impatiently, random }) =>
      impatiently(text.update((value) => `${value}${random.below(10)}`.slice(-5))),
    holdReservation: ({ counter }, actor) => holdReservationOf(actor, remoteOf(counter, kind), "value"),
    transact: ({ counter }, actor) =>
      transact(actor, counter.tx, counter.tx, (n, by) => n + by < 0 ? undefined : (n + by) % 10),
    /** As a namespace is read and written. */
    whole: ({ counter }, { impatiently, random }) => {
      const remote = remoteOf(counter, kind)
      return random.pick<Effect.Effect<unknown, unknown>>([
        remote.call("entries", [], () => Exit.void),
        remote.call("setAll", ["value", cell("7")], () => Exit.void),
        Effect.exit(remote.call("setAll", ["value", cell("7"), "other", cell("8")], () => Exit.void)),
        Effect.exit(remote.call("add", ["other", 1], () => Exit.void)),
        Effect.exit(remote.call("check", ["value", random.below(2)], () => Exit.void)),
        impatiently(remote.call("pass", [0], () => Exit.void)),
        impatiently(remote.call("untilChanged", ["value", 0], () => Exit.void))
      ])
    },
    until: ({ counter }) => counter.until((n) => n % 3 === 0),
    untilEquals: ({ counter }, { impatiently, random }) => impatiently(counter.untilEquals(random.below(6))),
    untilAtLeast: ({ counter }, { impatiently, random }) => impatiently(counter.untilAtLeast(random.below(6))),
    untilAtMost: ({ counter }, { impatiently, random }) => impatiently(counter.untilAtMost(random.below(6))),
    watch: ({ counter }, { watch }) => watch(counter.changes),
    point: ({ pointer }) => Effect.flatMap(makeHandle, pointer.set),
    follow: ({ pointer }) => Effect.flatMap(pointer.get, (handle) => handle === null ? Effect.void : handle.increment),
    watchPointer: ({ pointer }, { watch }) => watch(pointer.changes)
  },
  help: ({ counter }) => [
    counter.modify((n) => [undefined, n + 1]),
    // What waits for a condition sees every change, however short.
    ...[0, 1, 2, 3, 4, 5].map((n) => counter.set(n))
  ]
})
