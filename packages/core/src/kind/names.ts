/** The operations that objects of all own kinds have. The operations of a kind have other names. */

/** Replies with the state. */
export const stateOperation = "$state"

/** Ends a hold. A reason may follow. */
export const releaseOperation = "$release"
