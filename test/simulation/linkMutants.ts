/** Known bugs of sessions that survive their links (S-6, S-7): the simulation must find each. */
import type { Engine } from "#core/engine/Engine.ts"
import type { Input } from "#core/engine/Inputs.ts"
import * as Links from "#core/engine/Links.ts"
import * as Replies from "#core/engine/Replies.ts"
import type { Session } from "#core/engine/State.ts"
import { inStep, type Mutant } from "./mutation.ts"
import { actionsOf } from "./workloads.ts"

/** Sees each input before the engine does, in a run in which links are lost. */
const inLinks = (change: Parameters<typeof inStep>[0]): Pick<Mutant, "faults" | "options"> => ({
  faults: ["cut", "half"],
  options: inStep(change)
})

/** Sees a session after each of its inputs with a tag. */
const after = (
  tag: Input["_tag"],
  change: (session: Session, engine: Engine) => void
): Pick<Mutant, "faults" | "options"> =>
  inLinks((engine, step) => (input) => {
    step(input)
    const session = input._tag === tag && "session" in input ? engine.state.sessions.get(input.session) : undefined
    if (session !== undefined) change(session, engine)
  })

/** Loses what clients say over a new link, up to their first other message. */
const deaf = (isLost: (input: Input) => boolean): Pick<Mutant, "faults" | "options"> =>
  inLinks((_, step) => {
    const resumed = new Set<number>()
    return (input) => {
      if (input._tag === "Linked") resumed.add(input.session)
      else if ("session" in input && resumed.has(input.session)) {
        if (isLost(input)) return
        if (input._tag === "Request") resumed.delete(input.session)
      }
      step(input)
    }
  })

const forget = (session: Session): void => {
  for (const { sequence } of session.answered.values()) Replies.forget(session, sequence)
}

/** Every known bug by its name. */
export const linkMutants: Readonly<Record<string, Mutant>> = {
  "resumed-call-runs-twice": {
    bug: "a manager forgets with the link what it has carried out, and does so again (S-7)",
    seed: 9,
    ...after("Linked", (session) => {
      forget(session)
      session.lastSequence = 0
    })
  },
  "reply-forgotten-with-link": {
    bug: "a call whose reply was lost with the link gets none over the next one (S-7)",
    seed: 9,
    ...after("Linked", forget)
  },
  "refusal-not-remembered": {
    bug: "what was refused gets no reply when it is sent again (S-8)",
    seed: 37,
    actions: actionsOf("Queue"),
    ...after("Linked", (session) => {
      for (const { outcome, sequence } of session.answered.values()) {
        if (outcome._tag === "Failure") Replies.forget(session, sequence)
      }
    })
  },
  "waiting-call-forgotten": {
    bug: "a call that waits loses its place with its link (S-13)",
    ...after("Linked", (session, engine) => {
      for (const sequence of session.parked.keys()) engine.step({ _tag: "Cancel", session: session.id, sequence })
    })
  },
  "acknowledgement-forgotten": {
    bug:
      "what was acknowledged before the link was lost is not acknowledged again: an item that was taken comes back (S-8)",
    seed: 9,
    ...deaf(({ _tag }) => _tag === "Acknowledge")
  },
  "cancel-not-repeated": {
    bug: "a call that was cancelled when the link was lost goes on, and nobody has what it gets (S-10)",
    seed: 34,
    ...deaf(({ _tag }) => _tag === "Cancel")
  },
  "holds-not-compared": {
    bug: "one that lost its lock while it had no link works on (S-22)",
    actions: actionsOf("Lock"),
    ways: ["passing", "fence", "remove"],
    ...deaf(({ _tag }) => _tag === "Holds")
  },
  "grace-cut-short": {
    bug: "the next holder gets the lock before the grace of the last one is over (S-6)",
    ...after("Unlinked", (session, { state }) => {
      if (session.deadline !== undefined) Links.endAt(state, session, state.now + session.grace!.milliseconds / 2)
    })
  },
  "grace-without-end": {
    bug: "a session without a link holds what it holds for ever (S-6)",
    ...after("Unlinked", (session, { state }) => Links.forget(state, session))
  }
}
