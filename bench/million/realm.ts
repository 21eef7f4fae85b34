/** The realm of the manager with a million items. */
import * as Redacted from "effect/Redacted"

export const realm = "manager"
export const key = Redacted.make("the key of the bench")
/** Longer than the bench: the follower never leads. */
export const lease = "1 hour"
