/** Grants that last as long as a scope: a registration, an entry that ends with its process. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { GrantId } from "../engine/Operation.ts"
import type { Restore } from "./Remote.ts"

/**
 * Gets a grant for the life of the scope, and returns its id. `end` gives it back, and is told 1 if the scope has failed. It does not wait for
 * a reply: so a frozen manager delays no scope's end.
 */
export const whileOpen = <E>(
  get: (restore: Restore) => Effect.Effect<GrantId, E>,
  end: (grant: GrantId, hasFailed: 0 | 1) => void
): Effect.Effect<GrantId, E, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const grant = yield* get(restore)
      yield* Scope.addFinalizerExit(scope, (exit) => Effect.sync(() => end(grant, Exit.isFailure(exit) ? 1 : 0)))
      return grant
    })
  )
