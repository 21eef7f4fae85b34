/**
 * Whether sessions have the graces that they were given (S-6). It counts them itself: from the inputs, not from the state of
 * the engine.
 */
import type { Engine } from "../engine/Engine.ts"
import type { Input, SessionId } from "../engine/Inputs.ts"

/** The graces of one engine's sessions. */
class GraceCheck {
  readonly #engine: Engine
  readonly #graces = new Map<SessionId, number>()
  /** The engine time at which each session has lost its link. */
  readonly #lost = new Map<SessionId, number>()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Call it after each input. Returns what does not hold, as sentences. */
  observe(input: Input): ReadonlyArray<string> {
    const { lastSession, now, sessions } = this.#engine.state
    if (input._tag === "Open") this.#graces.set(lastSession, input.grace?.milliseconds ?? 0)
    else if (input._tag === "Linked") this.#lost.delete(input.session)
    else if (input._tag === "End") this.#forget(input.session)
    else if (input._tag === "Unlinked" && !this.#lost.has(input.session)) this.#lost.set(input.session, now)
    const violations: Array<string> = []
    for (const [session, since] of this.#lost) {
      const grace = this.#graces.get(session) ?? 0
      const isOver = now - since >= grace
      if (sessions.has(session) === isOver) {
        violations.push(
          `S-6: session ${session} ${isOver ? "goes on" : "has ended"} ${now - since} of ${grace} ms after its link`
        )
      }
      if (!sessions.has(session)) this.#forget(session)
    }
    return violations
  }

  #forget(session: SessionId): void {
    this.#lost.delete(session)
    this.#graces.delete(session)
  }
}

/** Checks the graces of an engine's sessions from now on, after each of its steps. */
export const checkGraces = (engine: Engine, violate: (sentence: string) => void): void => {
  const step = engine.step.bind(engine)
  const graces = new GraceCheck(engine)
  engine.step = (input) => {
    step(input)
    graces.observe(input).forEach(violate)
  }
}
