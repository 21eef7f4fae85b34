/** Values by key. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { map as kind } from "../../engine/kinds/record.ts"
import * as SharedMap from "../../SharedMap.ts"
import * as Transaction from "../../Transaction.ts"
import { Handle, makeHandle } from "./handle.ts"
import { addOption, holdEntry, holdReservationOf, makeOpen, transact } from "./record.ts"
import { scan } from "./scan.ts"
import { remoteOf, specimen } from "./Specimen.ts"

const keys = ["a", "b", "c"]

/** An entry as a field of a transaction. */
const entryOf = ({ tx }: SharedMap.SharedMap<string, number>, key: string) => ({
  get: tx.get(key),
  set: (value: Option.Option<number>) =>
    Option.match(value, { onNone: () => tx.remove(key), onSome: (value) => tx.set(key, value) }),
  update: (f: (value: Option.Option<number>) => Option.Option<number>) => tx.update(key, f)
})

/** The specimen of `Map`. */
export const map = specimen({
  kind,
  model: makeOpen,
  samples: {
    scores: (name) => SharedMap.make({ name, key: Schema.String, value: Schema.Int }),
    desk: (name) => SharedMap.make({ name, key: Schema.Int, value: Handle })
  },
  actions: {
    get: ({ scores }, { random }) => scores.get(random.pick(keys)),
    has: ({ scores }, { random }) => scores.has(random.pick(keys)),
    set: ({ scores }, { random }) => scores.set(random.pick(keys), random.below(10)),
    setAll: ({ scores }, { random }) => scores.setAll(keys.map((key) => [key, random.below(10)])),
    getOrSet: ({ scores }, { random }) => scores.getOrSet(random.pick(keys), 0),
    add: ({ scores }, { random }) => scores.add(random.pick(keys), random.below(3)),
    modify: ({ scores }, { impatiently, random }) =>
      impatiently(scores.modify(random.pick(keys), (found) => {
        const next = Option.getOrElse(found, () => 0) + 1
        return [next, next > 3 ? Option.none() : Option.some(next)]
      })),
    transact: ({ scores }, actor) => {
      const [from, to] = [0, 1].map(() => entryOf(scores, actor.random.pick(keys)))
      return transact(actor, from!, to!, addOption)
    },
    transactAll: ({ scores }, { impatiently, random }) => {
      let waits = random.chance(1 / 2)
      return impatiently(Transaction.tx(Effect.gen(function*() {
        const size = yield* scores.tx.size
        const mayWait = waits
        waits = false
        if (size === 0 && mayWait) return yield* Transaction.txRetry
        for (const [key] of yield* scores.tx.entries) yield* scores.tx.remove(key)
        yield* scores.tx.set(random.pick(keys), size)
      })))
    },
    holdReservation: ({ scores }, actor) => holdReservationOf(actor, remoteOf(scores, kind), "\"a\""),
    hold: ({ scores }, actor) => {
      const key = actor.random.pick(keys)
      return holdEntry(actor, scores.hold(key, actor.random.below(10)), scores.remove(key))
    },
    remove: ({ scores }, { random }) => scores.remove(random.pick(keys)),
    removeAll: ({ scores }, { random }) => scores.removeAll([random.pick(keys), random.pick(keys)]),
    removeLast: ({ scores }) => scores.removeLast,
    clear: ({ scores }) => scores.clear,
    keys: ({ scores }) => scores.keys,
    values: ({ scores }) => scores.values,
    entries: ({ scores }) => scores.entries,
    size: ({ scores }) => scores.size,
    scan: ({ scores }, actor) =>
      Effect.andThen(scores.setAll(keys.map((key) => [key, 1])), scan(actor, remoteOf(scores, kind))),
    untilHas: ({ scores }, { impatiently, random }) => impatiently(scores.untilHas(random.pick(keys))),
    untilRemoved: ({ scores }, { impatiently, random }) => impatiently(scores.untilRemoved(random.pick(keys))),
    untilEquals: ({ scores }, { impatiently, random }) => impatiently(scores.untilEquals(random.pick(keys), 3)),
    untilAtLeast: ({ scores }, { impatiently, random }) => impatiently(scores.untilAtLeast(random.pick(keys), 3)),
    untilAtMost: ({ scores }, { impatiently, random }) => impatiently(scores.untilAtMost(random.pick(keys), 1)),
    untilSize: ({ scores }, { impatiently, random }) =>
      impatiently(random.chance(1 / 2) ? scores.untilSizeAtLeast(2) : scores.untilSizeAtMost(1)),
    untilEmpty: ({ scores }) => scores.until((entries) => entries.size === 0),
    watch: ({ scores }, { watch }) => watch(scores.changes),
    put: ({ desk }, { random }) => Effect.flatMap(makeHandle, (handle) => desk.set(random.below(2), handle)),
    use: ({ desk }, { random }) =>
      Effect.flatMap(
        desk.get(random.below(2)),
        Option.match({ onNone: () => Effect.void, onSome: (handle) => handle.increment })
      ),
    lend: ({ desk }, actor) =>
      Effect.flatMap(makeHandle, (handle) => holdEntry(actor, desk.hold(0, handle), desk.remove(0))),
    takeAway: ({ desk }, { random }) => random.chance(1 / 4) ? desk.clear : desk.remove(random.below(2)),
    watchDesk: ({ desk }, { watch }) => watch(desk.changes),
    scanDesk: ({ desk }, actor) => scan(actor, remoteOf(desk, kind))
  },
  help: ({ scores }) => [
    scores.setAll(keys.map((key) => [key, 3])),
    scores.setAll(keys.map((key) => [key, 0])),
    scores.clear
  ]
})
