/** Holders or waiters of an inspection without their times: a row that is read later has a longer one. */
export const timeless = <A extends object>(rows: ReadonlyArray<A>) =>
  rows.map((row) => ({ ...row, heldMs: undefined, waitedMs: undefined }))
