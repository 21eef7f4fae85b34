/**
 * One queue, many producers, many consumers, and messages that name their sender: the reply of SuperFastPython's author
 * to the reader with the array of queues (SEED-34).
 *
 *     $ npm run example examples/09_tagged_messages.ts
 *     3 producers sent 300 messages, 2 consumers got 300
 *     each exactly once: true
 *     in order per producer: true
 *
 * Improvement: closing the queue ends every consumer, without a special message for each.
 */
import { Process, SharedQueue, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Schema, Stream } from "effect"

const Message = Schema.Struct({ from: Schema.Int, number: Schema.Int })

class Messages extends SharedQueue.Service<Messages>()("tagged/Messages", { item: Message, capacity: 10 }) {}

const Produce = Task.make("Produce", { payload: { from: Schema.Int, size: Schema.Int } })
const Consume = Task.make("Consume", { success: Schema.Array(Message) })
const Tasks = TaskGroup.make("tagged", { tasks: [Produce, Consume] })

const tasks = Tasks.toLayer({
  Produce: Effect.fn(function*({ from, size }) {
    const messages = yield* Messages
    for (let number = 0; number < size; number++) yield* messages.offer({ from, number })
  }, Effect.orDie),

  Consume: Effect.fn(function*() {
    const messages = yield* Messages
    return yield* Stream.runCollect(messages.stream)
  })
}).pipe(Layer.provide(Messages.layer))

const main = Effect.gen(function*() {
  const messages = yield* Messages
  const consumers = yield* Effect.replicateEffect(Process.spawn(Tasks, Consume), 2)
  yield* Effect.forEach([0, 1, 2], (from) => Process.run(Tasks, Produce, { from, size: 100 }), {
    concurrency: "unbounded"
  })
  yield* messages.close
  const received = yield* Effect.forEach(consumers, (consumer) => consumer.result)

  yield* Console.log(`3 producers sent 300 messages, 2 consumers got ${received.flat().length}`)
  const distinct = new Set(received.flat().map(({ from, number }) => `${from}/${number}`))
  yield* Console.log(`each exactly once: ${distinct.size === 300 && received.flat().length === 300}`)
  const inOrder = received.every((messages) =>
    messages.every(({ from, number }, i) => messages.slice(0, i).every((m) => m.from !== from || m.number < number))
  )
  yield* Console.log(`in order per producer: ${inOrder}`)
}).pipe(Effect.provide(Messages.layer))

NodeManager.runMain(main, { tasks })
