/** Schemas of handles that stand in their own values: nothing recurses by them (S-23, S-26). */
import {
  Manager,
  SharedList,
  SharedMap,
  SharedNamespace,
  SharedOpenNamespace,
  SharedQueue,
  SharedRef
} from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema, type Scope } from "effect"

/** The schema of the handles of a kind whose values are its own handles, and whatever else stands beside them. */
const recursive = <A>(of: (self: Schema.Codec<A, unknown, Manager.Manager>) => Schema.Top): Recursive<A> => {
  const self: Recursive<A> = Schema.suspend(() => of(self) as Recursive<A>)
  return self
}

type Recursive<A> = Schema.Codec<A, unknown, Manager.Manager>

type Use = Effect.Effect<void, unknown, Manager.Manager | Scope.Scope>

interface Trees extends SharedList.SharedList<Trees> {}
const Trees = recursive<Trees>((self) => SharedList.schema(self))

interface Chain extends SharedQueue.SharedQueue<Chain> {}
const Chain = recursive<Chain>((self) => SharedQueue.schema(self))

interface Folder extends SharedMap.SharedMap<string, Folder> {}
const Folder = recursive<Folder>((self) => SharedMap.schema({ key: Schema.String, value: self }))

interface Board extends SharedOpenNamespace.SharedOpenNamespace<Board> {}
const Board = recursive<Board>((self) => SharedOpenNamespace.schema(self))

type Link = SharedRef.SharedRef<Option.Option<Node>>
interface Node {
  readonly name: string
  readonly next: Link
}
const Node = recursive<Node>((self) =>
  Schema.Struct({ name: Schema.String, next: SharedRef.schema(Schema.Option(self)) })
)

type Both = SharedNamespace.SharedNamespace<{ other: typeof Other }>
type Other = SharedList.SharedList<Both>
const Both: Recursive<Both> = Schema.suspend(() =>
  SharedNamespace.schema({ fields: { other: Other } }) as unknown as Recursive<Both>
)
const Other = recursive<Other>(() => SharedList.schema(Both))

const uses: Readonly<Record<string, Use>> = {
  List: Effect.gen(function*() {
    const trees = yield* SharedList.make({ name: "trees", item: Trees })
    yield* trees.append(trees as Trees)
    const [inner] = yield* trees.toArray
    assert.isTrue(SharedList.isSharedList(inner))
    yield* inner!.append(inner!)
    assert.strictEqual(yield* trees.size, 2)
  }),
  Queue: Effect.gen(function*() {
    const chain = yield* SharedQueue.make({ name: "chain", item: Chain })
    yield* chain.offer(chain)
    yield* (yield* chain.take).offer(chain)
    assert.strictEqual(yield* chain.size, 1)
  }),
  Map: Effect.gen(function*() {
    const root = yield* SharedMap.make({ name: "root", key: Schema.String, value: Folder })
    yield* root.set("self", root as Folder)
    const self = Option.getOrThrow(yield* root.get("self"))
    assert.isTrue(yield* Option.getOrThrow(yield* self.get("self")).has("self"))
  }),
  OpenNamespace: Effect.gen(function*() {
    const board = yield* SharedOpenNamespace.make({ name: "board", value: Board })
    yield* board.field("self").set(board as Board)
    const self = yield* board.field("self").get
    assert.deepStrictEqual(yield* self.names, ["self"])
  }),
  "Ref, through a struct and an option": Effect.gen(function*() {
    const link = yield* SharedRef.make({ schema: Schema.Option(Node), initial: Option.none() })
    const node = { name: "first", next: link as unknown as Link }
    yield* link.set(Option.some(node))
    const again = Option.getOrThrow(yield* Option.getOrThrow(yield* link.get).next.get)
    assert.strictEqual(again.name, "first")
  }),
  "two kinds in each other": Effect.gen(function*() {
    const list = yield* SharedList.make({ name: "list", item: Both })
    const both = yield* SharedNamespace.make({
      name: "both",
      fields: { other: Other },
      initial: { other: list as Other }
    })
    yield* list.append(both)
    const [inner] = yield* (yield* both.get).other.toArray
    assert.strictEqual(yield* (yield* inner!.get).other.size, 1)
  })
}

describe("a handle in its own values:", () => {
  for (const [name, use] of Object.entries(uses)) {
    it.effect(name, () => Effect.provide(Effect.scoped(use), Manager.layerMemory))
  }
})

it.effect("a name is not opened with another recursive schema", () =>
  Effect.gen(function*() {
    const Pairs: Recursive<unknown> = Schema.suspend(() =>
      SharedList.schema(Schema.Tuple([Pairs, Schema.Int])) as never
    )
    yield* SharedList.make({ name: "trees", item: Trees })
    yield* SharedList.make({ name: "trees", item: recursive<Trees>((self) => SharedList.schema(self)) })
    const error = yield* Effect.flip(SharedList.make({ name: "trees", item: Pairs }))
    assert.strictEqual(error._tag, "SchemaMismatch")
  }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))
