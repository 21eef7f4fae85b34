/** The error of a value that cannot be sent. */
import type * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { CrossSpace, ManagerError, ValueNotEncoded } from "../ManagerError.ts"

/** The issue of a handle of another manager (S-5). */
export const foreignHandle = new SchemaIssue.InvalidValue({ message: "this handle belongs to another manager" })

/** The error of a call, of which a value does not encode: nothing was sent. */
export const unsent = (
  call: { readonly object: string; readonly operation: string },
  { issue, message }: Pick<Schema.SchemaError, "message"> & Partial<Schema.SchemaError>
): ManagerError =>
  new ManagerError({
    reason: issue !== undefined && has(issue, foreignHandle)
      ? new CrossSpace(call)
      : new ValueNotEncoded({ ...call, issue: message })
  })

// internals

const has = (issue: SchemaIssue.Issue, leaf: SchemaIssue.Issue): boolean => {
  if (issue === leaf) return true
  if ("issues" in issue) return issue.issues.some((issue) => has(issue, leaf))
  return "issue" in issue && has(issue.issue, leaf)
}
