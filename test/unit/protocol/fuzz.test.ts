/**
 * Frames of nonsense from clients that know the key. The manager continues, another client gets right replies,
 * and nothing of the nonsense is left after its end.
 */
import type { Engine } from "#core/engine/Engine.ts"
import { violations } from "#core/engine/Invariants.ts"
import { type Argument, bytesCell, type ObjectId } from "#core/engine/Value.ts"
import { Reader } from "#core/protocol/Bytes.ts"
import { headerBytes } from "#core/protocol/Frame.ts"
import { ClientWriter, readFromClient } from "#core/protocol/Message.ts"
import { Random } from "#core/testing/Random.ts"
import { Manager, SharedLock, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { budget } from "../../support/budget.ts"
import { handleOf, value } from "../../support/EngineHarness.ts"
import * as Memory from "../../support/Memory.ts"
import { drawOpening, words } from "../../support/openings.ts"
import * as raw from "../../support/raw.ts"
import { reachable } from "../../support/reachable.ts"

const total = budget(12_500)

/** The most frames of a session. A malformed frame is its last one. */
const perSession = 500

const nonsense = [...words, "", "🙂", "x".repeat(600)]

/** The frames of one session: most are valid, some are damaged. */
class Nonsense {
  readonly #random: Random
  readonly #engine: Engine
  /** Objects of another client, which only a damaged frame may name. */
  readonly #spared: ReadonlySet<ObjectId>
  #sequence = 0

  constructor(random: Random, engine: Engine, spared: ReadonlySet<ObjectId>) {
    this.#random = random
    this.#engine = engine
    this.#spared = spared
  }

  next(): Uint8Array<ArrayBuffer> {
    const random = this.#random
    if (random.chance(0.01)) return raw.frame(Uint8Array.from({ length: random.below(40) }, () => random.below(256)))
    const writer = new ClientWriter()
    for (let messages = random.below(3); messages >= 0; messages--) this.#say(writer)
    const frame = writer.take()
    if (random.chance(0.1)) frame[headerBytes + random.below(frame.length - headerBytes)] = random.below(256)
    return frame
  }

  #say(writer: ClientWriter): void {
    const random = this.#random
    const what = random.below(20)
    // To use one again ends the session, and a session is for saying much.
    const sequence = random.chance(0.99) ? ++this.#sequence : random.below(this.#sequence + 1)
    const some = random.below(this.#sequence + 1)
    if (what < 3) writer.request(sequence, 0, 0, [], 0, this.#opening(), Infinity)
    else if (what < 12) {
      const object = this.#object()
      const kind = this.#engine.state.objects.get(object)?.kind
      const operation = random.below(Object.keys(kind?.operations ?? {}).length + 1)
      const guard = Array.from({ length: random.chance(0.05) ? random.below(20) : 0 }, () => random.below(100))
      writer.request(sequence, object, operation, guard, random.below(20), this.#arguments(), Infinity)
    } else if (what < 14) writer.cancel(some)
    else if (what < 16) writer.acknowledge(some, random.pick([some, some + 5, Number.MAX_SAFE_INTEGER, 0]))
    else if (what < 17) writer.drop(this.#object(), random.pick([0, 1, Number.MAX_SAFE_INTEGER]))
    else if (what < 18) writer.watch(sequence, this.#object(), random.below(3))
    else if (what < 19) writer.credit(some, random.below(100))
    else writer.unwatch(some)
  }

  #object(): ObjectId {
    const ids = [...this.#engine.state.objects.keys()].filter((id) => id !== 0 && !this.#spared.has(id))
    return this.#random.chance(0.95)
      ? this.#random.pick(ids) ?? 9_999
      : this.#random.pick([9_999, Number.MAX_SAFE_INTEGER])
  }

  #opening(): ReadonlyArray<Argument> {
    const random = this.#random
    if (random.chance(0.1)) return [...this.#arguments(), Number.MAX_SAFE_INTEGER]
    const name = random.pick([null, null, "a", "b", "", "x".repeat(600)])
    return drawOpening(random, name, () => random.chance(1 / 2) ? value(1) : handleOf(this.#object()))
  }

  #arguments(): Array<Argument> {
    const random = this.#random
    return Array.from({ length: random.below(5) }, () =>
      random.pick<Argument>([
        null,
        random.below(10),
        NaN,
        random.pick(nonsense),
        value(random.below(10)),
        { text: "{", handles: [] },
        bytesCell(Uint8Array.from({ length: random.below(20) }, () => random.below(256))),
        handleOf(this.#object())
      ]))
  }
}

const isMalformed = (frame: Uint8Array): boolean => {
  const reader = new Reader(frame.subarray(headerBytes))
  while (!reader.done) readFromClient(reader, 0)
  return reader.malformed
}

/** Works with its own objects until `ended`, and checks every reply. */
const victim = (manager: Manager.Manager["Service"], ended: () => boolean) =>
  Effect.gen(function*() {
    const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
    const queue = yield* SharedQueue.make({ item: Schema.Int })
    const lock = yield* SharedLock.make()
    const work = Effect.gen(function*() {
      let rounds = 0
      while (!ended()) {
        rounds++
        assert.strictEqual(yield* ref.increment, rounds)
        yield* queue.offer(rounds)
        assert.strictEqual(yield* queue.take, rounds)
        assert.strictEqual(yield* lock.withLock(ref.get), rounds)
      }
      return rounds
    })
    return { work }
  }).pipe(Effect.provideService(Manager.Manager, manager))

it.live("nonsense disturbs no other client, crashes nothing and leaves nothing", () =>
  Effect.gen(function*() {
    const memory = yield* Memory.make({ judged: false })
    const { engine } = memory.server
    const { state } = engine
    let ended = false
    const { manager } = yield* memory.connect()
    const { work } = yield* victim(manager, () => ended)
    const spared = new Set(state.objects.keys())
    // Far from the ids of the victim's objects, so that no single damaged byte makes one of them.
    state.nextObject = 1_001
    const working = yield* Effect.forkChild(work)
    const random = new Random(2)
    const frames = { said: 0 }
    while (frames.said < total) {
      yield* Effect.scoped(Effect.gen(function*() {
        const { client } = yield* memory.dial()
        const { ended, session } = yield* raw.session(client)
        const nonsense = new Nonsense(random, engine, spared)
        for (let i = 0; i < perSession && !ended(); i++) {
          const frame = nonsense.next()
          const malformed = isMalformed(frame)
          frames.said++
          // Most malformed frames are not sent, because a session should send many frames before it ends.
          if (malformed && !random.chance(0.1)) continue
          client.send(frame)
          if (i % 50 === 49) yield* Effect.yieldNow
          if (!malformed) continue
          yield* Memory.until("the link is ended", ended)
          assert.isFalse(state.sessions.has(session))
        }
      }))
      yield* Memory.until("the session is gone", () => state.sessions.size === 1)
      assert.isAtMost(state.objects.size, 1 + spared.size + 50, "what is left of it is under a name")
      assert.deepStrictEqual(violations(engine), [])
    }
    ended = true
    // A round beside each session, on average: with a small budget there are few.
    assert.isAbove(yield* Fiber.join(working), total / perSession)
    const last = yield* memory.connect()
    assert.strictEqual((yield* last.manager.inspect).counts.waiters, 0)
    assert.strictEqual(state.counts.holders, 0)
    const reached = reachable(state)
    assert.deepStrictEqual([...state.objects.keys()].filter((id) => !reached.has(id)), [])
  }))
