/**
 * The memory of a manager, in bytes: values, and what stands around them. It is an estimate, in which a character is a
 * byte. Requests that bring values are refused beyond `memoryBytesMax`, before the process dies of them.
 */
import { type Refusal, refuse, type Reply } from "./Operation.ts"
import type { EngineState, SharedObject } from "./State.ts"
import { type Argument, type Cell, isCell } from "./Value.ts"

/** What an object takes without a value. */
const objectBytes = 1_024

/** What a value takes besides its text, and each handle in it. */
const cellBytes = 64
const handleBytes = 8

/** What an entry takes besides its key and its value. */
const entryBytes = 128

/** What an entry takes besides its value. */
export const ofKey = (word: string): number => entryBytes + word.length

/** The bytes of a value. */
export const ofCell = ({ bytes, handles, text }: Cell): number =>
  cellBytes + handleBytes * handles.length + (bytes === undefined ? text.length : bytes.length)

/** The bytes of an object besides its values. */
export const ofObject = (
  { agreement, fingerprint, kind, name = "", state }: Pick<
    SharedObject,
    "agreement" | "fingerprint" | "kind" | "name" | "state"
  >
): number => objectBytes + name.length + fingerprint.length + agreement.length + (kind.bytes?.(state) ?? 0)

/** The bytes of the values among arguments. */
export const ofValues = (args: Iterable<Argument>): number => {
  let bytes = 0
  for (const argument of args) if (isCell(argument)) bytes += ofCell(argument)
  return bytes
}

/** The bytes of the values and words of a reply. */
export const ofReply = (reply: Reply): number => {
  let bytes = 0
  for (const part of reply) {
    if (typeof part === "string") bytes += part.length
    else if (isCell(part)) bytes += ofCell(part)
  }
  return bytes
}

/** The bytes that a call may bring, if it brings values: those, and the words that may be their keys. */
export const ofCall = (args: ReadonlyArray<Argument>): number => {
  let values = 0
  let keys = 0
  for (const argument of args) {
    if (typeof argument === "string") keys += ofKey(argument)
    else if (isCell(argument)) values += ofCell(argument)
  }
  return values === 0 ? 0 : values + keys
}

/** Refusal when there is no room for so many bytes. To bring none is never refused. */
export const refusal = (
  { bytes, limits: { memoryBytesMax } }: EngineState,
  more: number
): Refusal<"LimitExceeded"> | undefined =>
  more > 0 && bytes + more > memoryBytesMax ? refuse("LimitExceeded", "memoryBytesMax", memoryBytesMax) : undefined
