/** Values under names that come and go. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { openNamespace as kind } from "../../engine/kinds/record.ts"
import { cell } from "../../engine/Value.ts"
import * as SharedOpenNamespace from "../../SharedOpenNamespace.ts"
import { Handle, makeHandle } from "./handle.ts"
import { addOption, holdEntry, holdReservationOf, makeOpen, transact } from "./record.ts"
import { scan } from "./scan.ts"
import { remoteOf, specimen } from "./Specimen.ts"

const names = ["a", "b", "c"]

/** The specimen of `OpenNamespace`. */
export const openNamespace = specimen({
  kind,
  model: makeOpen,
  samples: {
    notes: (name) => SharedOpenNamespace.make({ name, value: Schema.Int }),
    pointers: (name) => SharedOpenNamespace.make({ name, value: Handle })
  },
  actions: {
    set: ({ notes }, { random }) => notes.field(random.pick(names)).set(random.below(10)),
    setAll: ({ notes }, { random }) => notes.set({ a: random.below(10), _b: random.below(10) }),
    get: ({ notes }, { random }) => notes.field(random.pick(names)).get,
    all: ({ notes }) => Effect.andThen(notes.names, notes.get),
    add: ({ notes }, { random }) => notes.field(random.pick(names)).add(random.below(3)),
    modify: ({ notes }, { impatiently, random }) =>
      impatiently(notes.field(random.pick(names)).modify((n) => [n, Option.map(n, (n) => n + 1)])),
    transact: ({ notes }, actor) =>
      transact(
        actor,
        notes.field(actor.random.pick(names)).tx,
        notes.field(actor.random.pick(names)).tx,
        addOption
      ),
    holdReservation: ({ notes }, actor) => holdReservationOf(actor, remoteOf(notes, kind), "a"),
    hold: ({ notes }, actor) => {
      const note = notes.field(actor.random.pick(names))
      return holdEntry(actor, note.hold(actor.random.below(10)), note.remove)
    },
    remove: ({ notes }, { random }) => notes.field(random.pick(names)).remove,
    clear: ({ notes }) => notes.clear,
    untilSet: ({ notes }, { impatiently, random }) => impatiently(notes.field(random.pick(names)).untilSet),
    untilValue: ({ notes }, { impatiently, random }) => {
      const note = notes.field(random.pick(names))
      return impatiently(random.pick<Effect.Effect<unknown, unknown>>([
        note.untilRemoved,
        note.untilEquals(1),
        note.untilAtLeast(1),
        note.untilAtMost(1)
      ]))
    },
    /** As the entries of a map are used. */
    asEntries: ({ notes }, { random }) => {
      const remote = remoteOf(notes, kind)
      const name = random.pick(names)
      return random.pick<Effect.Effect<unknown, unknown>>([
        remote.call("has", [name], () => Exit.void),
        remote.call("setIfAbsent", [name, cell("7")], () => Exit.void),
        remote.call("removeAll", [name, random.pick(names)], () => Exit.void),
        remote.call("removeLast", [], () => Exit.void)
      ])
    },
    /** As the size and the values of a map are read. */
    asMap: ({ notes }, { impatiently, random }) => {
      const remote = remoteOf(notes, kind)
      return impatiently(random.pick<Effect.Effect<unknown, unknown>>([
        remote.call("size", [], () => Exit.void),
        remote.call("values", [], () => Exit.void),
        remote.call("untilSize", [0, 1], () => Exit.void)
      ]))
    },
    scan: ({ notes }, actor) => scan(actor, remoteOf(notes, kind)),
    watchField: ({ notes }, { random, watch }) => watch(notes.field(random.pick(names)).changes),
    watch: ({ notes }, { watch }) => watch(notes.changes),
    point: ({ pointers }, { random }) => Effect.flatMap(makeHandle, pointers.field(random.pick(names)).set),
    follow: ({ pointers }, { random }) =>
      Effect.flatMap(pointers.field(random.pick(names)).get, (handle) => handle.increment),
    lend: ({ pointers }, actor) =>
      Effect.flatMap(makeHandle, (handle) => {
        const pointer = pointers.field(actor.random.pick(names))
        return holdEntry(actor, pointer.hold(handle), pointer.remove)
      }),
    unpoint: ({ pointers }, { random }) =>
      random.chance(1 / 4) ? pointers.clear : pointers.field(random.pick(names)).remove,
    scanPointers: ({ pointers }, actor) => scan(actor, remoteOf(pointers, kind))
  },
  help: ({ notes }) => [notes.set({ a: 1, b: 1, c: 1 }), notes.clear]
})
