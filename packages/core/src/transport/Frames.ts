/**
 * The frames of a link: read one at a time during the handshake, then handed to a handler in the turn in which they
 * arrive.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { FrameSplitter } from "../protocol/Frame.ts"
import { type Link, LinkClosed } from "./Link.ts"

/** Gets the frames after the handshake. */
export interface FrameHandler {
  /** One frame, lent for the call. False: the frame breaks the protocol, and the link is not read any further. */
  readonly onFrame: (frame: Uint8Array) => boolean
  /** Every frame that arrived in this turn has been handed over. */
  readonly onTurnEnd: () => void
  /** The link has taken every pending byte. Absent: the handler never waits for that. */
  readonly onDrain?: () => void
}

/** A link, frame by frame. */
export interface Frames {
  /** The next frame. */
  readonly next: Effect.Effect<Uint8Array, LinkClosed>
  /** Hands all further frames over until the link ends. `ready` is called as soon as the handler listens. */
  readonly handOver: (bytesMax: number, handler: FrameHandler, ready?: () => void) => Effect.Effect<never, LinkClosed>
  /** Fails when the link has ended. */
  readonly ended: Effect.Effect<never, LinkClosed>
}

/** Reads a link in the background, for the life of the scope. */
export const make = (link: Link, handshakeBytesMax: number): Effect.Effect<Frames, never, Scope.Scope> =>
  Effect.gen(function*() {
    const splitter = new FrameSplitter(handshakeBytesMax)
    const early = yield* Queue.bounded<Uint8Array, LinkClosed>(4)
    const closed = yield* Deferred.make<never, LinkClosed>()
    let broken = false
    let handler: FrameHandler = {
      onFrame: (frame) => Queue.offerUnsafe(early, frame.slice()),
      onTurnEnd: () => {}
    }
    const end = (reason: string) => {
      const error = new LinkClosed({ reason })
      Deferred.doneUnsafe(closed, Effect.fail(error))
      Queue.failCauseUnsafe(early, Cause.fail(error))
    }
    const onFrame = (frame: Uint8Array) => {
      if (!broken && !handler.onFrame(frame)) {
        broken = true
        end("the other side sent something that is not of this protocol")
      }
    }
    const onBytes = (bytes: Uint8Array) => {
      if (broken) return
      if (!splitter.push(bytes, onFrame)) {
        broken = true
        end(`the other side announced a frame of more than ${splitter.bytesMax} bytes`)
      }
      handler.onTurnEnd()
    }
    yield* link.read({ onBytes, onDrain: () => handler.onDrain?.() }).pipe(
      Effect.catch((error) => Effect.sync(() => end(error.reason))),
      Effect.catchCause((cause) => Deferred.failCause(closed, cause)),
      Effect.forkScoped
    )
    return {
      ended: Deferred.await(closed),
      next: Queue.take(early),
      handOver: (bytesMax, next, ready) =>
        Effect.suspend(() => {
          splitter.bytesMax = bytesMax
          handler = next
          ready?.()
          return Effect.flatMap(Queue.clear(early), (frames) => {
            frames.forEach(onFrame)
            next.onTurnEnd()
            return Deferred.await(closed)
          })
        })
    }
  })
