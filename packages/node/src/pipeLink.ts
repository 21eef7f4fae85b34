/** The owner's end of the pipe to a child: a socket pair that nobody else can reach, so it needs neither address nor key. */
import { Link } from "@effect-multiprocessing/core"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { ChildProcessHandle } from "effect/process/ChildProcessSpawner"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/**
 * A link over a duplex file descriptor of a child. Closing it tells the child that nothing more comes; what the child
 * says until its own end can still be read.
 */
export const fromHandle = (
  handle: ChildProcessHandle,
  fd: number
): Effect.Effect<Link.Link, never, Scope.Scope> =>
  Effect.gen(function*() {
    const outgoing = yield* Queue.unbounded<Uint8Array, Cause.Done>()
    yield* Effect.addFinalizer(() => Queue.end(outgoing))
    let pendingBytes = 0
    yield* Stream.fromQueue(outgoing).pipe(
      Stream.tap((bytes) => Effect.sync(() => pendingBytes -= bytes.length)),
      Stream.run(handle.getInputFd(fd)),
      // A failed write also ends what is read, which is where the end of a link is told.
      Effect.ignore,
      // Ended with the queue, or with the child: an interruption would end what is read, too.
      Effect.forkDetach
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
