/**
 * A program may have two copies of Effect, of two versions or of two folders. A schema of the other copy seems to work: its
 * checks run, but its transformations do not, and values are refused for reasons that say nothing.
 */
import { memoize } from "effect/Function"
import type * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { innerOf, partsMax } from "./jsonCodec.ts"

/** Why a schema cannot be used; undefined: it can. */
export const foreignIssue = ({ ast }: Schema.Top): string | undefined =>
  isOwn(ast) ?
    undefined :
    "a schema is of another copy of effect than the one that effect-multiprocessing uses. A program " +
    "must have one copy: `npm ls effect` lists them, and equal versions become one"

/** The class of all nodes of this copy, which has no name of its own outside of it. */
const Node: unknown = Object.getPrototypeOf(SchemaAST.String)

/** Whether all parts of a schema are of this copy. */
const isOwn = memoize((whole: SchemaAST.AST): boolean => {
  const parts = new Set([whole])
  // A set's iteration also comes to what is added meanwhile.
  for (const part of parts) {
    if (typeof Node !== "function" || !(part instanceof Node)) return false
    if (parts.size > partsMax) continue
    for (const inner of innerOf(part)) parts.add(inner)
    for (const { to } of part.encoding ?? []) parts.add(to)
  }
  return true
})
