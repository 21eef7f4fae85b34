/**
 * What the engine stores and forwards without looking inside.
 *
 * A value is opaque: canonical JSON text written by the proxy's codec, together with the ids of the
 * shared objects whose handles stand in that text. The ids travel beside the text so that references can be counted
 * without parsing it (S-23).
 */

/** The id of a shared object: unique in its manager's life, never used again. */
export type ObjectId = number

/** The id of the directory, the object that is always there. It is never a value. */
export const directory: ObjectId = 0

/** A stored value: JSON text and the objects whose handles it bears. */
export interface Cell {
  readonly text: string
  readonly handles: ReadonlyArray<ObjectId>
}

/** One argument of an operation, or one part of its reply. */
export type Argument = null | number | string | Cell

const noHandles: ReadonlyArray<ObjectId> = []

/** A cell that bears no handle. */
export const cell = (text: string): Cell => ({ text, handles: noHandles })

/** A UTF-16 code unit takes at most three bytes of UTF-8. */
export const unitBytesMax = 3

/** The bytes of an argument in a message besides its text, and the bytes of each of its handles, at most. */
const partBytesMax = 16

/** The bytes of an argument in a message (`protocol/Message.ts`), at most. */
export const bytesMaxOf = (argument: Argument): number =>
  typeof argument === "string"
    ? partBytesMax + unitBytesMax * argument.length
    : isCell(argument)
    ? partBytesMax * (1 + argument.handles.length) + unitBytesMax * argument.text.length
    : partBytesMax

/** Whether an argument is a stored value rather than a plain word or number. */
export const isCell = (argument: Argument | undefined): argument is Cell =>
  typeof argument === "object" && argument !== null
