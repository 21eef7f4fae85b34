/**
 * Values: stored and forwarded by the engine, which does not look inside.
 *
 * A value is JSON text or bytes, as the proxy's codec has written it. The ids of the shared objects whose handles stand
 * in a text travel beside it, so that references are counted without parsing it (S-23).
 */

/** The id of a shared object: unique in its manager's life, never used again. */
export type ObjectId = number

/** The id of the directory, the object that is always there. It is never a value. */
export const directory: ObjectId = 0

/** A stored value as JSON text, and the objects whose handles it bears. */
export interface TextCell {
  readonly text: string
  readonly bytes?: undefined
  readonly handles: ReadonlyArray<ObjectId>
}

/** A stored value as bytes. It bears no handles. */
export interface BytesCell {
  readonly text?: undefined
  readonly bytes: Uint8Array
  readonly handles: ReadonlyArray<ObjectId>
}

/** A stored value. */
export type Cell = TextCell | BytesCell

/** One argument of an operation, or one part of its reply. */
export type Argument = null | number | string | Cell

const noHandles: ReadonlyArray<ObjectId> = []

/** A text that bears no handle. */
export const cell = (text: string): TextCell => ({ text, handles: noHandles })

/** Bytes as a value. They must not change afterwards. */
export const bytesCell = (bytes: Uint8Array): BytesCell => ({ bytes, handles: noHandles })

/** The text of a value. Bytes have none: whatever a client stores, a kind that reads texts does not fail (S-2). */
export const textOf = ({ text = "" }: Cell): string => text

/** Whether two values are the same text or the same bytes. */
export const isEqual = (a: Cell, b: Cell): boolean =>
  a.text === b.text && (a.bytes === undefined || b.bytes !== undefined && sameBytes(a.bytes, b.bytes))

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Bytes as hexadecimal text. */
export const hexadecimal = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

/** The bytes of hexadecimal text. */
export const bytesOf = (text: string): Uint8Array =>
  Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(i * 2, i * 2 + 2), 16))

/** For `JSON.stringify`: bytes in a journal are written as hexadecimal text. */
export const bytesToJson = (_: string, value: unknown): unknown =>
  value instanceof Uint8Array ? hexadecimal(value) : value

/** For `JSON.parse`: undoes `bytesToJson`. */
export const bytesFromJson = (key: string, value: unknown): unknown =>
  key === "bytes" && typeof value === "string" ? bytesOf(value) : value

/** A UTF-16 code unit takes at most three bytes of UTF-8. */
export const unitBytesMax = 3

/** The bytes of an argument in a message besides its text, and the bytes of each of its handles, at most. */
const partBytesMax = 16

/** The bytes of an argument in a message (`protocol/Message.ts`), at most. */
export const bytesMaxOf = (argument: Argument): number =>
  typeof argument === "string"
    ? partBytesMax + unitBytesMax * argument.length
    : isCell(argument)
    ? partBytesMax * (1 + argument.handles.length) + contentBytesMax(argument)
    : partBytesMax

const contentBytesMax = ({ bytes, text }: Cell): number =>
  bytes === undefined ? unitBytesMax * text.length : bytes.length

/** Whether an argument is a stored value rather than a plain word or number. */
export const isCell = (argument: Argument | undefined): argument is Cell =>
  typeof argument === "object" && argument !== null
