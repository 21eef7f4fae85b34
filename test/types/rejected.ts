/**
 * Mistakes that do not compile. `npm run check` checks that each is an error. `types.test.ts` checks that it is the
 * intended error: the code and a part of the message stand behind the directive.
 */
// @effect-diagnostics *:off -- they would repeat the compiler's errors.
import * as Format from "#core/engine/Format.ts"
import { kindOf } from "#core/engine/Kind.ts"
import { operationsOf, ready, wait } from "#core/engine/Operation.ts"
import {
  Actor,
  Kind,
  Process,
  SharedMap,
  SharedNamespace,
  SharedObject,
  SharedQueue,
  type SharedRef,
  Task,
  TaskGroup,
  Transaction
} from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Effect, Layer, Schema, Stream } from "effect"
import {
  Board,
  Bucket,
  Count,
  Drain,
  Jobs,
  type Price,
  Results,
  type Savings,
  Square,
  Stranger,
  Tasks,
  type Title
} from "./shared.ts"

declare const price: Effect.Success<typeof Price>
declare const title: Effect.Success<typeof Title>
declare const text: SharedQueue.SharedQueue<string>
declare const numbers: SharedRef.SharedNumber

// A wrong item.
export const wrongItem = Effect.flatMap(Jobs, (jobs) =>
  // @ts-expect-error TS2345 'string' is not assignable to parameter of type 'number'
  jobs.offer("one"))
export const wrongItems = Effect.flatMap(Jobs, (jobs) =>
  // @ts-expect-error TS2345 'string' is not assignable to type 'number'
  jobs.offerAll([1, "two"]))
export const wrongTaken = Effect.flatMap(Jobs, (jobs) =>
  // @ts-expect-error TS2345 'number' is not assignable to type 'string'
  jobs.process((item: string) => Effect.succeed(item)))
export const wrongKey = Effect.flatMap(Results, (results) =>
  // @ts-expect-error TS2345 'number' is not assignable to parameter of type 'string'
  results.get(1))
export const wrongValue = Effect.flatMap(Results, (results) =>
  // @ts-expect-error TS2741 Property 'n' is missing
  results.set("one", {}))
export const wrongField = Effect.flatMap(Board, (board) =>
  // @ts-expect-error TS2353 'pause' does not exist
  board.set({ pause: true }))
export const wrongState = Effect.flatMap(Board, (board) =>
  // @ts-expect-error TS2322 'string' is not assignable to type 'boolean'
  board.set({ running: "yes" }))
// @ts-expect-error TS2322 'string' is not assignable to type 'number'
export const wrongUpdate = numbers.modify(() => ["old", "new"])
// @ts-expect-error TS2345 Property 'value' is missing
export const noSchema = SharedMap.make({ key: Schema.String })
// A field without a default.
// @ts-expect-error TS2741 Property 'title' is missing
export const noField = SharedNamespace.make({ fields: { title: Schema.String }, initial: {} })
// @ts-expect-error TS2345 Property 'initial' is missing
export const noInitial = SharedNamespace.make({ fields: { title: Schema.String } })

// A task that takes nothing, and one that takes something; also one that is declared in its group.
const Strangers = TaskGroup.make("strangers", { tasks: [Stranger] })
// @ts-expect-error TS2345 not assignable to parameter of type 'void'
export const somePayload = Process.run(Strangers, Stranger, { n: 1 })
// @ts-expect-error TS2554 Expected 3-4 arguments, but got 2
export const noPayload = Process.run(Tasks, Square)
// @ts-expect-error TS2322 not assignable to type 'never'
export const misspelt = Task.make("Misspelt", { payload: Schema.Int, succes: Schema.Int })
const Inline = TaskGroup.make("inline", { tasks: [Task.make("Work", { success: Schema.Int })] })
// @ts-expect-error TS2322 'string' is not assignable to type 'number'
export const wrongInline = Inline.toLayer({ Work: () => Effect.succeed("one") })

// Arithmetic on a value that is no number, or no number on the wire.
// @ts-expect-error TS2339 'increment' does not exist
export const incrementText = title.increment
// @ts-expect-error TS2339 'add' does not exist
export const addToEncoded = price.add(1)
export const incrementBoolean = Effect.flatMap(Board, (board) =>
  // @ts-expect-error TS2339 'increment' does not exist
  board.fields.running.increment)
export const addToEntry = Effect.flatMap(Results, (results) =>
  // @ts-expect-error TS2339 'add' does not exist
  results.add("one", 1))
// @ts-expect-error TS2339 'untilAtLeast' does not exist
export const compareText = title.untilAtLeast(1)
// @ts-expect-error TS2345 'string' is not assignable to parameter of type 'number'
export const equalsText = numbers.untilEquals("1")
// @ts-expect-error TS2345 'string' is not assignable to parameter of type 'number'
export const addText = numbers.add("1")

// A missing layer.
const take = Effect.flatMap(Jobs, (jobs) => jobs.take)
// @ts-expect-error TS2379 'Jobs' is not assignable to type 'never'
export const noLayer = Effect.runPromise(take)
// @ts-expect-error TS2379 'Manager' is not assignable to type 'never'
export const noManager = Effect.runPromise(Effect.provide(take, Jobs.layer))
// @ts-expect-error TS2379 'Jobs' is not assignable to type
NodeManager.runMain(take)
const needy = Tasks.toLayer({ Square: ({ n }) => Effect.as(Count, n), Drain: () => Effect.void })
// @ts-expect-error TS2375 'Count' is not assignable to type
NodeManager.runMain(Effect.void, { tasks: needy })
// @ts-expect-error TS2375 'Count' is not assignable to type
NodeManager.runMain(Effect.void, { tasks: Layer.provide(needy, Jobs.layer) })

// A missing handler, and wrong ones.
// @ts-expect-error TS2741 Property 'Drain' is missing
export const noHandler = Tasks.toLayer({ Square: ({ n }) => Effect.succeed(n) })
export const wrongResult = Tasks.toLayer({
  // @ts-expect-error TS2322 'string' is not assignable to type 'number'
  Square: () => Effect.succeed("nine"),
  Drain: () => Effect.void
})
export const undeclaredError = Tasks.toLayer({
  Square: ({ n }) => Effect.succeed(n),
  // @ts-expect-error TS2375 'string' is not assignable to type 'Infrastructure'
  Drain: () => Effect.fail("full")
})
export const undeclaredClosed = Tasks.toLayer({
  Square: ({ n }) => Effect.succeed(n),
  // @ts-expect-error TS2322 'ManagerError | QueueClosed' is not assignable to type 'Infrastructure'
  Drain: ({ jobs }) => Effect.asVoid(jobs.take)
})
export const wrongPayloadField = Tasks.toLayer({
  // @ts-expect-error TS2339 'size' does not exist
  Square: ({ size }) => Effect.succeed(size),
  Drain: () => Effect.void
})

// A wrong payload, and a task that is in no group.
// @ts-expect-error TS2322 'string' is not assignable to type 'number'
export const wrongPayload = Process.spawn(Tasks, Square, { n: "3" })
// @ts-expect-error TS2322 'SharedQueue<string>' is not assignable to type 'SharedQueue<number>'
export const wrongHandle = Process.run(Tasks, Drain, { jobs: text })
// @ts-expect-error TS2345 '"Stranger"' is not assignable to type '"Drain"'
export const stranger = Process.spawn(Tasks, Stranger, {})

// Errors that cannot occur.
export const impossible = SharedQueue.make({ item: Schema.Int }).pipe(
  // @ts-expect-error TS2345 '"QueueClosed"' is not assignable
  Effect.catchTag("QueueClosed", () => Effect.void)
)

// A value of any type is no number.
declare const anything: SharedRef.RefOf<typeof Schema.Any>
// @ts-expect-error TS2339 Property 'increment' does not exist
export const incremented = anything.increment

// An own kind: payloads, transitions and what they return.
declare const savings: Savings["Service"]
// @ts-expect-error TS2322 'string' is not assignable to type 'number'
export const wrongAmount = savings.deposit({ amount: "1" })
// @ts-expect-error TS2345 'string' is not assignable to parameter of type 'number'
export const wrongWithdrawal = savings.withdraw("1")
// @ts-expect-error TS2339 'burn' does not exist
export const unknownOperation = savings.burn
// @ts-expect-error TS2554 Expected 2 arguments, but got 1
export const noOptions = SharedObject.make(Bucket)
// @ts-expect-error TS2322 'string' is not assignable to type 'number'
export const wrongOptions = SharedObject.make(Bucket, { options: { size: "3" } })
// @ts-expect-error TS2322 'Int' is not assignable to type 'never'
export const misspeltContract = Kind.change({ payload: Schema.Int, succes: Schema.Int })
// @ts-expect-error TS2353 'holdFor' does not exist
export const changeForATime = Kind.change({ holdFor: "1 second" })
const counter = {
  state: Schema.Int,
  initial: 0,
  operations: {
    add: Kind.change({ payload: Schema.Int, success: Schema.Int }),
    get: Kind.read({ success: Schema.Int })
  }
}
const transitions = {
  add: (state: number, n: number) => Kind.reply(state + n, state + n),
  get: (state: number) => Kind.succeed(state)
}
// @ts-expect-error TS2741 Property 'get' is missing
export const missingTransition = Kind.make("types/Counter", { ...counter, transitions: { add: transitions.add } })
export const wrongNextState = Kind.make("types/Counter", {
  ...counter,
  // @ts-expect-error TS2322 'string' is not assignable to type 'number'
  transitions: { ...transitions, add: (state) => Kind.reply("1", state) }
})
export const wrongReply = Kind.make("types/Counter", {
  ...counter,
  // @ts-expect-error TS2322 'string' is not assignable to type 'number'
  transitions: { ...transitions, add: (state) => Kind.reply(state, "1") }
})
export const wrongError = Kind.make("types/Counter", {
  ...counter,
  // @ts-expect-error TS2322 'string' is not assignable to type 'never'
  transitions: { ...transitions, add: () => Kind.fail("too much") }
})
export const forgottenResult = Kind.make("types/Counter", {
  ...counter,
  // @ts-expect-error TS2322 'Done<number>' is not assignable
  transitions: { ...transitions, add: (state) => Kind.done(state) }
})
export const writingRead = Kind.make("types/Counter", {
  ...counter,
  // @ts-expect-error TS2322 'Replied<number, number>' is not assignable
  transitions: { ...transitions, get: (state) => Kind.reply(state + 1, state) }
})
export const unchangingHold = Kind.make("types/Counter", {
  state: Schema.Int,
  initial: 0,
  operations: { take: Kind.hold() },
  // @ts-expect-error TS2322 'Succeeded<undefined>' is not assignable
  transitions: { take: () => Kind.succeed(undefined) },
  released: { take: (state) => state }
})
// @ts-expect-error TS2345 Property 'released' is missing
export const noRelease = Kind.make("types/Counter", {
  state: Schema.Int,
  initial: 0,
  operations: { take: Kind.hold() },
  transitions: { take: (state) => Kind.done(state + 1) }
})
// Handles need the manager, of which a manager has none.
// @ts-expect-error TS2322 is not assignable to type
export const handleInState = Kind.change({ payload: SharedQueue.schema(Schema.Int) })

// Actors.
class Echo extends Actor.Service<Echo>()("types/Echo", {
  methods: {
    echo: Actor.method({ payload: Schema.Int, success: Schema.Int }),
    count: Actor.stream({ success: Schema.Int, error: Schema.String })
  }
}) {}
const handlers = { echo: (n: number) => Effect.succeed(n), count: () => Stream.empty }
// @ts-expect-error TS2345 'string' is not assignable
export const wrongCall = Effect.flatMap(Echo, (echo) => echo.echo("1"))
// @ts-expect-error TS2345 Property 'count' is missing
export const missingHandler = Echo.serve({ echo: handlers.echo })
// @ts-expect-error TS2322 is not assignable to type
export const effectForStream = Echo.serve({ ...handlers, count: () => Effect.succeed(1) })
// @ts-expect-error TS2322 is not assignable to type
export const wrongElement = Echo.serve({ ...handlers, count: () => Stream.succeed("1") })
// @ts-expect-error TS2322 is not assignable to type
export const undeclaredFailure = Echo.serve({ ...handlers, echo: () => Effect.fail("undeclared") })
// @ts-expect-error TS2322 Type 'Int' is not assignable to type 'never'
export const misspeltMethod = Actor.method({ payload: Schema.Int, succes: Schema.Int })

// A transaction's reads and writes outside of one.
// @ts-expect-error TS2379 'Transaction' is not assignable to type 'never'
Effect.runFork(numbers.tx.get)
// @ts-expect-error TS2379 'Transaction' is not assignable to type 'never'
Effect.runFork(text.tx.offer("outside"))
// @ts-expect-error TS2379 'Transaction' is not assignable to type 'never'
Effect.runFork(Transaction.txRetry)

// A kind of the engine: an operation waits in a lane, and the kind has this lane.
const { change, read } = operationsOf<number, "closed">()
const until = read([], () => [], { lane: "closed", decide: (state) => state === 0 ? wait : ready })
export const withoutLane = [
  // @ts-expect-error TS2345 Property 'lane' is missing
  read([], () => [], { decide: (state) => state === 0 ? wait : ready }),
  // @ts-expect-error TS2345 Type 'Wait' is not assignable to type 'Instant
  change({ parameters: [], decide: (state) => state === 0 ? wait : ready, apply: () => [] }),
  // @ts-expect-error TS2322 '"open"' is not assignable
  change({ parameters: [], lane: "open", apply: () => [] })
]
export const unknownLane = kindOf<number>()({
  name: "Door",
  lanes: ["open"],
  // @ts-expect-error TS2375 '"closed"' is not assignable to type '"open"'
  operations: { until },
  initial: () => 0,
  pristine: () => true,
  values: () => [],
  version: 1,
  format: Format.number,
  check: () => []
})
