/** What a client puts into a frame. */

/** A value that was sent must fit into a reply, which may have that many bytes more than its request. */
export const replyBytes = 64

/** The share of a frame that arguments may fill; the rest is for what stands around them in a request or a reply. */
export const argumentShare = 3 / 4

/**
 * A frame is sent at this size, or half of its bound, within a turn: the manager works while more is written. It is a third
 * of 256 small calls: with all of them in one frame, client and manager wait for one another in turns.
 */
export const flushBytes = 3 * 1024
