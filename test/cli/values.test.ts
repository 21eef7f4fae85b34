/** `emp get`, `emp set`, `emp watch`, `emp drain` and `emp dead-letters`, with a program that shares the objects. */
import { SharedMap, SharedObject, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { Effect, Option, Schema } from "effect"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Stack } from "../support/ownKinds.ts"
import { untilWaiting } from "../support/untilWaiting.ts"
import { serve, type Served, until } from "./emp.ts"

let served: Served

beforeAll(async () => {
  served = await serve()
})

afterAll(async () => {
  await served.end()
})

describe("emp get and emp set", () => {
  it("read and write what a program shares", async () => {
    const ref = await served.run(SharedRef.make({ name: "count", schema: Schema.Int, initial: 7 }))
    assert.deepStrictEqual(await served.emp("get", "count"), { code: 0, out: "7\n", error: "" })
    assert.deepStrictEqual(await served.emp("set", "count", "8"), { code: 0, out: "", error: "" })
    assert.deepStrictEqual(await served.emp("set", "count", "9.5"), {
      code: 1,
      out: "",
      error: "emp: set on Ref \"count\" was refused: the value does not conform to its schema: Number & isInt. " +
        "The call had no effect\n"
    })
    assert.strictEqual(await served.run(ref.get), 8)
    assert.strictEqual((await served.emp("set", "count", "-8")).code, 0)
    assert.strictEqual(await served.run(ref.get), -8)
  })

  it("reach the entries of a map by key, and say with 3 that there is none", async () => {
    const map = await served.run(SharedMap.make({ name: "ages", key: Schema.String, value: Schema.Number }))
    assert.strictEqual((await served.emp("set", "ages", "ada", "36")).code, 0)
    assert.deepStrictEqual(await served.run(map.get("ada")), Option.some(36))
    assert.strictEqual((await served.emp("get", "ages", "ada")).out, "36\n")
    assert.strictEqual((await served.emp("get", "ages")).out, "{\"ada\":36}\n")
    const { code, error } = await served.emp("get", "ages", "bob")
    assert.deepStrictEqual([code, error], [3, "emp: ages has nothing at bob\n"])
  })

  it("say that a value needs the schema of its program, or is no JSON", async () => {
    await served.run(SharedRef.make({ name: "day", schema: Schema.Date, initial: new Date(0) }))
    const { code, error } = await served.emp("set", "day", "\"2026-01-01\"")
    assert.strictEqual(code, 1)
    assert.match(error, /^emp: .* only a program that has the schema of its values can write them: Date.*\n$/)
    const noJson = await served.emp("set", "day", "Monday")
    assert.deepStrictEqual([noJson.code, noJson.error], [
      2,
      "emp: the value is no JSON: Monday. A text has quotes: '\"text\"'\n"
    ])
    assert.strictEqual((await served.emp("set", "day")).code, 2)
  })
})

describe("emp watch", () => {
  it("prints the value and every change, until a signal ends it with 0", async () => {
    const ref = await served.run(SharedRef.make({ name: "watched", schema: Schema.Int, initial: 1 }))
    const watching = served.starts("watch", "watched")
    await until(watching, () => watching.out() === "1\n")
    await served.run(Effect.andThen(ref.set(2), ref.set(3)))
    await until(watching, () => watching.out() === "1\n2\n3\n")
    watching.process.kill("SIGINT")
    assert.deepStrictEqual(await watching.ended, { code: 0, out: "1\n2\n3\n", error: "" })
  })

  it("ends with 0 when the reader of its output has enough", async () => {
    const ref = await served.run(SharedRef.make({ name: "read once", schema: Schema.Int, initial: 1 }))
    const watching = served.starts("watch", "read once")
    await until(watching, () => watching.out() === "1\n")
    watching.process.stdout?.destroy()
    await served.run(ref.set(2))
    const { code, error } = await watching.ended
    assert.deepStrictEqual([code, error], [0, ""])
  })

  it("fails when the object is removed", async () => {
    await served.run(SharedRef.make({ name: "short", schema: Schema.Int, initial: 1 }))
    const watching = served.starts("watch", "short")
    await until(watching, () => watching.out() === "1\n")
    await served.emp("rm", "short")
    const { code, error } = await watching.ended
    assert.strictEqual(code, 1)
    assert.match(error, /^emp: Ref "short" was removed while changes waited\..*\n$/)
  })
})

describe("emp drain", () => {
  it("takes every queued item, and prints them in order", async () => {
    const queue = await served.run(SharedQueue.make({ name: "jobs", item: Schema.Struct({ n: Schema.Int }) }))
    await served.run(queue.offerAll([{ n: 1 }, { n: 2 }]))
    assert.deepStrictEqual(await served.emp("drain", "jobs"), { code: 0, out: "{\"n\":1}\n{\"n\":2}\n", error: "" })
    assert.deepStrictEqual(await served.run(queue.poll), Option.none())
    assert.strictEqual((await served.emp("drain", "jobs")).out, "")
  })

  it("refuses what is not a queue", async () => {
    await served.run(SharedRef.make({ name: "no queue", schema: Schema.Int, initial: 1 }))
    const { code, error } = await served.emp("drain", "no queue")
    assert.strictEqual(code, 1)
    assert.match(error, /it is not a queue/)
  })
})

describe("emp dead-letters", () => {
  it("prints them, drops them, and offers their items again", async () => {
    const queue = await served.run(SharedQueue.make({ name: "failing", item: Schema.Int, attempts: 1 }))
    await served.run(queue.offer(5))
    await served.run(Effect.exit(queue.process(() => Effect.fail("no disk"))))
    const { out } = await served.emp("dead-letters", "failing")
    const letter = JSON.parse(out)
    assert.deepStrictEqual([letter.id, letter.attempts, letter.item], [1, 1, 5])
    assert.include(letter.reason, "no disk")
    assert.strictEqual((await served.emp("dead-letters", "failing", "--retry")).out, out)
    assert.deepStrictEqual(await served.run(queue.deadLetters), [])
    await served.run(Effect.exit(queue.process(() => Effect.fail("again"))))
    assert.include((await served.emp("dead-letters", "failing", "--drop")).out, "\"item\":5")
    assert.strictEqual((await served.emp("dead-letters", "failing")).out, "")
    assert.strictEqual((await served.emp("drain", "failing")).out, "")
    assert.strictEqual((await served.emp("dead-letters", "failing", "--drop", "--retry")).code, 2)
  })

  it("waits until the queue has room for an item; a signal then ends it, and the letter stays", async () => {
    const queue = await served.run(SharedQueue.make({ name: "full", item: Schema.Int, attempts: 1, capacity: 1 }))
    await served.run(queue.offer(1))
    await served.run(Effect.exit(queue.process(() => Effect.fail("no disk"))))
    await served.run(queue.offer(2))
    const retrying = served.starts("dead-letters", "full", "--retry")
    await served.run(untilWaiting(queue, 1))
    retrying.process.kill("SIGINT")
    assert.deepStrictEqual(await retrying.ended, { code: 130, out: "", error: "" })
    assert.deepStrictEqual((await served.run(queue.deadLetters)).map(({ id }) => id), [1])
  })
})

describe("an own kind", () => {
  it("is served from a module, and its state is shown", async () => {
    const own = await serve("--kinds", fileURLToPath(new URL("./kinds.ts", import.meta.url)))
    const stack = SharedObject.make(Stack, { name: "stack", options: { first: [1] } })
    await own.run(Effect.scoped(Effect.gen(function*() {
      yield* (yield* stack).push(2)
      const { code, out } = yield* Effect.promise(() => own.emp("get", "stack"))
      assert.deepStrictEqual([code, out], [0, "[1,2]\n"])
    })))
    await own.end()
  })
})
