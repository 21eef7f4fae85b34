/**
 * The owner's end of the pipe to a child: a socket pair that no other process can reach, so it needs neither address nor
 * key.
 */
import { Link } from "@effect-multiprocessing/core"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { ChildProcessHandle } from "effect/process/ChildProcessSpawner"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/**
 * A link over a duplex file descriptor of a child. Closing it tells the child that nothing more comes; the bytes that
 * the child writes until its own end can still be read.
 */
export const fromHandle = (
  handle: ChildProcessHandle,
  fd: number
): Effect.Effect<Link.Link, never, Scope.Scope> =>
  Effect.gen(function*() {
    const outgoing = yield* Queue.unbounded<Uint8Array, Cause.Done>()
    yield* Effect.addFinalizer(() => Queue.end(outgoing))
    let pendingBytes = 0
    let drained = () => {}
    const taken = (bytes: Uint8Array) => {
      pendingBytes -= bytes.length
      if (pendingBytes === 0) drained()
    }
    yield* Stream.fromQueue(outgoing).pipe(
      Stream.tap((bytes) => Effect.sync(() => taken(bytes))),
      Stream.run(handle.getInputFd(fd)),
      // A failed write also ends the reading, and the reading tells the end of the link.
      Effect.ignore,
      // Ends with the queue or with the child. An interruption would end the reading, too.
      Effect.forkDetach
    )
    return {
      send: (bytes) => {
        pendingBytes += bytes.length
        Queue.offerUnsafe(outgoing, bytes)
      },
      pendingBytes: () => pendingBytes,
      read: ({ onBytes, onDrain }) =>
        Effect.suspend(() => {
          drained = onDrain
          return Stream.runForEach(handle.getOutputFd(fd), (bytes) => Effect.sync(() => onBytes(bytes)))
        }).pipe(
          Effect.mapError(({ message }) => new Link.LinkClosed({ reason: message })),
          Effect.andThen(new Link.LinkClosed({ reason: "the other side ended it" }))
        )
    } satisfies Link.Link
  })
