/** The first element of the changes of an object that meets a condition, as an effect. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Remote } from "./Remote.ts"

/** The first element of a stream of an object, which fails rather than ends. */
export const first = <K, A, E>(
  { connection, target }: Remote<K>,
  stream: Stream.Stream<A, E>
): Effect.Effect<A, E> =>
  connection.longWaits.notice(target, "until", Effect.map(Stream.runHead(stream), Option.getOrThrow))
