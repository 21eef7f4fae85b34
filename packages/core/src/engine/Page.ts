/**
 * A page: the first part of something that may be more than fits into one reply.
 */
import { type Argument, bytesMaxOf } from "./Value.ts"

/** The first parts, in whole groups, that take at most `bytesMax` in a message; at least one group. */
export const firstPage = <Part extends Argument>(parts: Iterable<Part>, group: number, bytesMax: number) => {
  const page: Array<Part> = []
  let bytes = 0
  let whole = 0
  for (const part of parts) {
    bytes += bytesMaxOf(part)
    if (bytes > bytesMax && whole > 0) return { page: page.slice(0, whole), isLast: false }
    if (page.push(part) % group === 0) whole = page.length
  }
  return { page, isLast: true }
}
