/**
 * The frames of a link: read one at a time during the handshake, then handed to a handler in the turn in which they
 * arrive. A handler that throws gets nothing more, and `handOver` dies with what it has thrown.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
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
  /** Hands all further frames over until the link ends or the handler throws. `ready` is called once it listens. */
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
    const end = (cause: Cause.Cause<LinkClosed>) => {
      Deferred.doneUnsafe(closed, Exit.failCause(cause))
      Queue.failCauseUnsafe(early, cause)
    }
    const breakOff = (reason: string) => {
      broken = true
      end(Cause.fail(new LinkClosed({ reason, isBreach: true })))
    }
    const guarded = (handle: () => void) => {
      if (broken) return
      const handled = Result.try(handle)
      if (Result.isSuccess(handled)) return
      broken = true
      end(Cause.die(handled.failure))
    }
    const onFrame = (frame: Uint8Array) => {
      if (!broken && !handler.onFrame(frame)) breakOff("a frame arrived that is not of this protocol")
    }
    const receive = (bytes: Uint8Array) => {
      if (!splitter.push(bytes, onFrame)) {
        breakOff(`a frame of more than ${splitter.bytesMax} bytes arrived`)
      }
      handler.onTurnEnd()
    }
    const reader = {
      onBytes: (bytes: Uint8Array) => guarded(() => receive(bytes)),
      onDrain: () => guarded(() => handler.onDrain?.())
    }
    yield* link.read(reader).pipe(
      Effect.catchCause((cause) => Effect.sync(() => end(cause))),
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
            guarded(() => {
              frames.forEach(onFrame)
              next.onTurnEnd()
            })
            return Deferred.await(closed)
          })
        })
    }
  })
