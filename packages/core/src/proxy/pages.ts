/**
 * All values of an object, as one atomic copy, as a stream that reads page by page (`engine/kinds/scan.ts`).
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Kind } from "../engine/Kind.ts"
import type { operations } from "../engine/kinds/scan.ts"
import type { Argument } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import type { Remote } from "./Remote.ts"

/** Large enough that the round trip for a page does not count, small enough that a page delays no other client. */
export const pageBytes = 192 * 1024

// oxlint-disable-next-line typescript/no-explicit-any -- of whatever state: only its operations matter
type Scannable = Kind<any, ReturnType<typeof operations>>

/**
 * Everything that an object held when the stream began, in order: nothing that changes later is seen. Each page is
 * asked for when it is pulled, so a slow reader costs the manager the copied references and nothing else. The scan ends
 * with the stream, however that ends.
 */
export const pages = <A>(
  remote: Remote<Scannable>,
  decode: (parts: ReadonlyArray<Argument>) => Exit.Exit<ReadonlyArray<A>, ManagerError>,
  bytes = pageBytes
): Stream.Stream<A, ManagerError> => {
  const bytesMax = Math.min(bytes, remote.connection.argumentBytesMax)
  return Stream.unwrap(Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const [scan, ...first] = yield* remote.callOwned(restore, "scan", [bytesMax], (reply) => Exit.succeed(reply))
      if (scan !== 0) yield* Scope.addFinalizer(scope, Effect.sync(() => remote.tell("endScan", [scan])))
      const pageFrom = (start: number) =>
        start === 0
          ? Effect.map(decode(first), (items) => ({ items, parts: first.length, more: scan !== 0 }))
          : remote.call(
            "page",
            [scan, start, bytesMax],
            ([more, ...parts]) => Exit.map(decode(parts), (items) => ({ items, parts: parts.length, more: more === 1 }))
          )
      return Stream.paginate(0, (start) =>
        Effect.map(
          pageFrom(start),
          ({ items, more, parts }) => [items, more ? Option.some(start + parts) : Option.none()] as const
        ))
    })
  ))
}
