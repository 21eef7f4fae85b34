/**
 * The caller's side of an actor: each method as an effect or a stream.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { actor } from "../engine/kinds/actor.ts"
import { isCell } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import { encoded } from "../proxy/exits.ts"
import { Manager } from "../proxy/Manager.ts"
import type { Refusals, Remote } from "../proxy/Remote.ts"
import * as SharedQueue from "../SharedQueue.ts"
import * as Span from "../tracing/Span.ts"
import { ActorDied, MailboxFull, NotHosted } from "./errors.ts"
import { type Any, type Codecs, groupOf, type Methods } from "./Method.ts"

/** The kind of an actor. */
export type ActorKind = typeof actor

/** An actor as a client knows it. */
export type ActorRemote = Remote<ActorKind>

/** The errors of a call besides those of its method. */
export type CallError = ActorDied | MailboxFull | NotHosted | ManagerError

/** The errors of a call whose method is not known here. */
type Failure = unknown

/** The groups of elements that a stream holds ahead of its reader. */
const groupsMax = 16

/** The methods of an actor: without a payload one is a value, otherwise a function. */
export const callsOf = (
  methods: Methods,
  remote: ActorRemote,
  codecsOf: (name: string) => Codecs,
  manager: Manager["Service"]
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(methods).map(([name, method]) => {
      const call = caller(remote, name, codecsOf)
      const run = method.streams
        ? (payload: unknown) => stream(method, manager, (out) => call({ payload, out }))
        : call
      return [name, method.payload === Schema.Void ? run(undefined) : run]
    })
  )

const caller = (remote: ActorRemote, method: string, codecsOf: (name: string) => Codecs) => {
  const actor = remote.target.description
  const refusals: Refusals<"MailboxFull" | "NotHosted", MailboxFull | NotHosted> = {
    MailboxFull: ([max]) => new MailboxFull({ actor, method, max: Number(max) }),
    NotHosted: () => new NotHosted({ actor, method })
  }
  return (payload: unknown): Effect.Effect<unknown, Failure> =>
    encoded(
      () => remote.encode(method, codecsOf(method).payload, payload),
      (cell) =>
        remote.call(
          "call",
          [method, cell, Span.textWithin(Fiber.getCurrent()!)],
          ([how, result]): Exit.Exit<unknown, Failure> => {
            switch (how) {
              case "died":
                return Exit.fail(new ActorDied({ actor, method }))
              case "unhosted":
                return Exit.fail(new NotHosted({ actor, method }))
            }
            if (!isCell(result)) {
              return Exit.die(
                new Error(`the result of ${method} on ${actor} was refused: ${result}`)
              )
            }
            const { failure, success } = codecsOf(method)
            if (how === "done") return remote.decode(method, success, result)
            const cause = remote.decode(method, failure, result)
            return Exit.isSuccess(cause) ? Exit.failCause(cause.value) : cause
          },
          refusals
        )
    )
}

/** The elements of a streaming call, which come through a queue of its own. The reader's end interrupts the call. */
const stream = (
  method: Any,
  manager: Manager["Service"],
  call: (out: SharedQueue.SharedQueue<ReadonlyArray<unknown>>) => Effect.Effect<unknown, Failure>
): Stream.Stream<unknown, Failure> =>
  Stream.unwrap(
    Effect.gen(function*() {
      const out = yield* SharedQueue.make({ item: groupOf(method), capacity: groupsMax })
      // However the call ends, the reader gets what was sent before.
      const calling = yield* Effect.forkScoped(Effect.ensuring(call(out), Effect.ignore(out.close)))
      return Stream.concat(Stream.flattenIterable(out.stream), Stream.fromEffectDrain(Fiber.join(calling)))
    }).pipe(Effect.provideService(Manager, manager)) as Effect.Effect<
      Stream.Stream<unknown, Failure>,
      Failure,
      Scope.Scope
    >
  )
