/**
 * A mutant of the engine: it remembers no reply of a ref, so a call that is sent again is carried out again. With the replies
 * of a queue clients would wait for ever: for an item that another call has taken.
 */
import { Engine } from "#core/engine/Engine.ts"
import * as Replies from "#core/engine/Replies.ts"

/** Spoils all engines of this process. Returns what undoes it. */
export const repeat = (): () => void => {
  const { step } = Engine.prototype
  Engine.prototype.step = function(input) {
    if (input._tag === "Request") {
      const session = this.state.sessions.get(input.session)
      const isOfRef = input.calls.every(({ object }) => this.state.objects.get(object)?.kind.name === "Ref")
      if (session?.answered.get(input.sequence) !== undefined && isOfRef) {
        Replies.forget(session, input.sequence)
        session.lastSequence = input.sequence - 1
      }
    }
    step.call(this, input)
  }
  return () => {
    Engine.prototype.step = step
  }
}
