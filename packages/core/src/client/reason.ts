/** Reasons for which an item was given back, as a queue keeps them. */

/** Characters of a reason that are kept. */
const reasonLength = 500

/** The first characters of a reason; without half of a character, which no call can carry. */
export const kept = (reason: string): string => reason.slice(0, reasonLength).toWellFormed()
