/** The operations that objects of all own kinds have. The operations of a kind have other names. */

/** Replies with the state. */
export const stateOperation = "$state"

/** Ends a hold. A reason may follow. */
export const releaseOperation = "$release"

/** Runs operations of a transaction on the state, and stores nothing. */
export const tryOperation = "$try"

/** Runs operations of a transaction on the state, and stores the state that they make. */
export const commitOperation = "$commit"

/** Refused if the state has another version. */
export const checkOperation = "$check"

/** Waits until the state has another version. */
export const untilChangedOperation = "$untilChanged"
