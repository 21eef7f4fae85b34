/** No lost wake (I4): a client that is given something and declines it passes it on, whatever it is and however. */
import type { Argument, ObjectId } from "#core/engine/Value.ts"
import { assert, describe, it } from "@effect/vitest"
import { type Client, EngineHarness, value } from "../../support/EngineHarness.ts"

/** Something that one client has at a time, and how a client asks for it. */
interface Given {
  readonly name: string
  readonly make: (main: Client) => ObjectId
  /** Makes one of it available, after the clients have asked. */
  readonly give?: (main: Client, object: ObjectId) => void
  readonly ask: (client: Client, object: ObjectId) => number
  readonly ends?: boolean
}

const call = (operation: string, ...args: ReadonlyArray<Argument>) => (client: Client, object: ObjectId) =>
  client.call(object, operation, args)

const queue = (main: Client) => {
  const queue = main.make("Queue", "queue", { capacity: 1, attempts: 9 })
  main.get(queue, "offer", [value(1)])
  return queue
}

/** Waits for a notification, as a client that holds the lock. */
const sleep = (client: Client, condition: ObjectId) => {
  const [token] = client.get(condition, "acquire")
  return client.call(condition, "wait", [token!])
}

const given: ReadonlyArray<Given> = [
  { name: "a lock", make: (main) => main.make("Lock", "lock"), ask: call("acquire") },
  { name: "a permit", make: (main) => main.make("Semaphore", "semaphore", { permits: 1 }), ask: call("acquire", 1) },
  { name: "an item", make: queue, ask: call("take") },
  { name: "a lease", make: queue, ask: call("takeLease") },
  {
    name: "a reservation of a field",
    make: (main) => main.make("Ref", "ref", { value: "" }, value(1)),
    ask: call("reserve", "value"),
    ends: true
  },
  {
    name: "a reservation of an item",
    make: (main) => main.make("List", "list", { order: "" }, value(1)),
    ask: call("reserve", 0),
    ends: true
  },
  {
    name: "a reservation of an element",
    make: (main) => main.make("Array", "array", { type: "int8", length: 1 }),
    ask: call("reserve", 0),
    ends: true
  },
  {
    name: "a notification",
    make: (main) => main.make("Condition", "condition"),
    ask: sleep,
    give: (main, condition) => {
      const [token] = main.get(condition, "acquire")
      main.get(condition, "notify", [token!, 1])
      main.get(condition, "release", [token!])
    }
  }
]

describe.each(given)(
  "$name goes to the next that waits, when the client that was given it",
  ({ ask, ends, give, make }) => {
    const setUp = () => {
      const harness = new EngineHarness()
      const [main, first, second] = [harness.open(), harness.open(), harness.open()]
      const object = make(main)
      const asked = ask(first, object)
      const waits = ask(second, object)
      return {
        harness,
        first,
        asked,
        give: () => give?.(main, object),
        /** Whether the next has it. */
        isPassedOn: () => typeof second.answer(waits) !== "string" && harness.engine.state.counts.holders === 1
      }
    }

    const declines = (way: string, decline: (client: Client, asked: number, harness: EngineHarness) => void) =>
      it(`${way}`, () => {
        const { asked, first, give, harness, isPassedOn } = setUp()
        give()
        decline(first, asked, harness)
        assert.isTrue(isPassedOn())
      })

    declines("cancels its call after it was answered", (client, asked) => {
      assert.strictEqual(client.cancel(asked), "compensated")
    })
    declines("ends", (client) => client.end())
    if (ends === true) {
      declines("lets its time pass", (_client, _asked, harness) => void harness.time(5_000))
    }
    it("gives up before it is given anything", () => {
      const { asked, first, give, isPassedOn } = setUp()
      if (!first.waits(asked)) return
      assert.strictEqual(first.cancel(asked), "withdrawn")
      give()
      assert.isTrue(isPassedOn())
    })
  }
)

describe("a notification goes to the next sleeper, when the one that was given it and does not have the lock yet", () => {
  const declines = (way: string, decline: (client: Client, asked: number) => void) =>
    it(`${way}`, () => {
      const harness = new EngineHarness()
      const [main, first, second] = [harness.open(), harness.open(), harness.open()]
      const condition = main.make("Condition", "condition")
      const [token] = first.get(condition, "acquire")
      const asked = first.call(condition, "wait", [token!])
      const waits = sleep(second, condition)
      const [notifier] = main.get(condition, "acquire")
      main.get(condition, "notify", [notifier!, 1])
      decline(first, asked)
      main.get(condition, "release", [notifier!])
      assert.isTrue(typeof second.answer(waits) !== "string")
    })

  declines("cancels", (client, asked) => void client.cancel(asked))
  declines("ends", (client) => client.end())
})

it("a sleeper declines after it has the lock: the notification goes on, and the lock when it is released", () => {
  const harness = new EngineHarness()
  const [main, first, second] = [harness.open(), harness.open(), harness.open()]
  const condition = main.make("Condition", "condition")
  const asked = sleep(first, condition)
  const waits = sleep(second, condition)
  const [notifier] = main.get(condition, "acquire")
  main.get(condition, "notify", [notifier!, 1])
  main.get(condition, "release", [notifier!])
  const [token] = first.answer(asked)
  first.get(condition, "decline", [token!])
  assert.isTrue(second.waits(waits))
  first.get(condition, "release", [token!])
  assert.isFalse(second.waits(waits))
})
