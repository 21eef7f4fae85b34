/** The owner's end of the pipe to a child: a socket pair that nobody else can reach, so it needs neither address nor key. */
import { Link } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import type { ChildProcessHandle } from "effect/process/ChildProcessSpawner"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** A link over a duplex file descriptor of a child. */
export const fromHandle = (
  handle: ChildProcessHandle,
  fd: number
): Effect.Effect<Link.Link, never, Scope.Scope> =>
  Effect.gen(function*() {
    const outgoing = yield* Queue.unbounded<Uint8Array>()
    let pendingBytes = 0
    yield* Stream.fromQueue(outgoing).pipe(
      Stream.tap((bytes) => Effect.sync(() => pendingBytes -= bytes.length)),
      Stream.run(handle.getInputFd(fd)),
      // A failed write also ends what is read, which is where the end of a link is told.
      Effect.ignore,
      Effect.forkScoped
    )
    return {
      send: (bytes) => {
        pendingBytes += bytes.length
        Queue.offerUnsafe(outgoing, bytes)
      },
      pendingBytes: () => pendingBytes,
      read: (onBytes) =>
        Stream.runForEach(handle.getOutputFd(fd), (bytes) => Effect.sync(() => onBytes(bytes))).pipe(
          Effect.mapError(({ message }) => new Link.LinkClosed({ reason: message })),
          Effect.andThen(new Link.LinkClosed({ reason: "the other side ended it" }))
        ),
      onDrain: () => {}
    } satisfies Link.Link
  })
