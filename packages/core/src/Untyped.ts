/**
 * Shared objects without their schemas, for tools such as the command line: an object is found by its name, and its
 * values are the JSON that is stored. A program that knows the schemas uses the module of the type.
 *
 * Nothing here makes an object, or keeps one alive: an object that is removed meanwhile fails with `ObjectNotFound`.
 * Stored bytes cannot be read. A handle in a value is read as the JSON that stands for it, and cannot be written.
 *
 * A written value must conform to the schema of the object. Programs check values with the schema, the manager does not,
 * so `set` checks it with the object's fingerprint, and refuses a value of which the fingerprint does not tell.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { NamedObject } from "./engine/Inspection.ts"
import type { queue } from "./engine/kinds/queue.ts"
import type { Cell } from "./engine/Value.ts"
import type { ManagerError } from "./ManagerError.ts"
import { type Letter, letters } from "./proxy/letters.ts"
import { Manager } from "./proxy/Manager.ts"
import * as Remote from "./proxy/Remote.ts"
import { accessOf, type Opened, remoteOf } from "./proxy/untyped.ts"
import { makeText } from "./proxy/ValueCodec.ts"

export type { NamedObject } from "./engine/Inspection.ts"

type Json = Schema.Json

/** No object has this name. A name is of the objects that exist: one that nobody uses may be gone. */
export class NoSuchObject extends Schema.TaggedError<NoSuchObject>()("NoSuchObject", { object: Schema.String }) {
  override get message(): string {
    return `there is no object named ${JSON.stringify(this.object)}`
  }
}

/** An object whose schemas are unknown. A type that has no such value fails with `InvalidRequest`. */
export interface Untyped extends Remote.Shared {
  /** The object, as it was when it was found. */
  readonly info: NamedObject
  /**
   * Returns all that the object holds: the value of a ref, the items of a list, the entries of a namespace or of a map by
   * key (as pairs, if its keys are not strings), the state of an own kind. **On disconnect** `ManagerError`.
   */
  readonly get: Effect.Effect<Json, ManagerError>
  /**
   * Returns the entry of a key, or the item of an index; none: there is none. The key of a map whose keys are not strings
   * is JSON. **On disconnect** `ManagerError`.
   */
  readonly entry: (key: string) => Effect.Effect<Option.Option<Json>, ManagerError>
  /**
   * Replaces the value of a ref or, with a key, an entry or an item. Fails with `InvalidRequest` if the value does not
   * conform to the schema, or if the fingerprint of the schema does not tell. **Cancellation** An interrupted `set` took
   * effect once or not at all. **On disconnect** `ManagerError`, whose reason says which.
   */
  readonly set: (value: Json, key?: string) => Effect.Effect<void, ManagerError>
  /**
   * What the object holds, then every change: the value of a ref or of an own kind; of others `{ all }`, then `{ set,
   * removed }` for entries and `{ splice: [start, deleted, ...items] }`, `{ reverse }` or `{ sort }` for items. A reader that
   * falls behind gets `all` again. **On disconnect** The stream fails with `ManagerError`.
   */
  readonly changes: Stream.Stream<Json, ManagerError>
}

/** A dead letter whose item is JSON. */
export interface UntypedLetter extends Omit<Letter, "cell"> {
  readonly item: Json
}

/** A queue whose schema is unknown. */
export interface UntypedQueue extends Remote.Shared {
  readonly info: NamedObject
  /**
   * Takes the first item; none: no item is queued. **Cancellation** An interrupted `poll` takes nothing. **On disconnect**
   * `ManagerError`, whose reason says whether an item was taken.
   */
  readonly poll: Effect.Effect<Option.Option<Json>, ManagerError>
  /** The dead letters, oldest first, read in pages. **On disconnect** The stream fails with `ManagerError`. */
  readonly letters: Stream.Stream<UntypedLetter, ManagerError>
  /**
   * Offers the item of a dead letter again, and returns whether the letter was there. **Fairness** Waits while the queue
   * is full, behind earlier offers. **Cancellation** The letter stays, or its item was offered. **On disconnect**
   * `ManagerError`, whose reason says which.
   */
  readonly retry: (letter: number) => Effect.Effect<boolean, ManagerError>
  /**
   * Drops a dead letter, and returns whether it was there. **On disconnect** `ManagerError`, whose reason says whether it
   * was dropped.
   */
  readonly drop: (letter: number) => Effect.Effect<boolean, ManagerError>
}

/** Finds the object of a name. Costs the same for a manager of any size. **On disconnect** `ManagerError`. */
export const find = (name: string): Effect.Effect<NamedObject, NoSuchObject | ManagerError, Manager> =>
  Effect.flatMap(Manager, ({ connection }) =>
    Effect.flatMap(
      Remote.directory(connection).call("find", [name], ([row]) => Exit.succeed(row)),
      // The manager wrote it, and is of the protocol version that the handshake has checked.
      (row) =>
        row === undefined
          ? Effect.fail(new NoSuchObject({ object: name }))
          : Effect.succeed(JSON.parse(row) as NamedObject)
    ))

/** Opens an object by its name. It is not made if there is none. **On disconnect** `ManagerError`. */
export const open = (name: string): Effect.Effect<Untyped, NoSuchObject | ManagerError, Manager> =>
  Effect.map(opened(name), (opened) => ({
    [Remote.TypeId]: remoteOf(opened),
    info: opened.info,
    ...accessOf(opened)
  }))

/** Opens a queue by its name. It is not made if there is none. **On disconnect** `ManagerError`. */
export const openQueue = (name: string): Effect.Effect<UntypedQueue, NoSuchObject | ManagerError, Manager> =>
  Effect.flatMap(opened(name), (opened) => {
    const { codec, info } = opened
    const remote = remoteOf<typeof queue>(opened)
    if (info.kind !== "Queue") return remote.invalid("open", "it is not a queue")
    // An item that was taken could not be shown.
    if (/^Uint8Array\b/.test(info.schema)) {
      return remote.invalid("open", "its items are bytes: use a program of its schema")
    }
    const decode = (operation: string) => (cell: Cell) => remote.decode(operation, codec, cell)
    return Effect.succeed({
      [Remote.TypeId]: remote,
      info,
      poll: Effect.uninterruptibleMask((restore) =>
        remote.callOwned(
          restore,
          "poll",
          [],
          ([cell]) => cell === undefined ? Exit.succeed(Option.none()) : Exit.map(decode("poll")(cell), Option.some),
          undefined,
          "reject"
        )
      ),
      letters: Stream.mapEffect(
        letters(remote),
        ({ cell, ...letter }) => Exit.map(decode("letters")(cell), (item) => ({ ...letter, item }))
      ),
      retry: (letter) => remote.call("retry", [letter], ([retried]) => Exit.succeed(retried === 1)),
      drop: (letter) => remote.call("drop", [letter], ([dropped]) => Exit.succeed(dropped === 1))
    })
  })

// internals

const opened = (name: string): Effect.Effect<Opened, NoSuchObject | ManagerError, Manager> =>
  Effect.gen(function*() {
    const { connection } = yield* Manager
    return { connection, info: yield* find(name), codec: yield* makeText(Schema.Json) }
  })
