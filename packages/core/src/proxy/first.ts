/** The first element of a stream, as an effect. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

/** The first element of a stream that fails rather than ends. */
export const first = <A, E>(stream: Stream.Stream<A, E>): Effect.Effect<A, E> =>
  Effect.map(Stream.runHead(stream), Option.getOrThrow)
