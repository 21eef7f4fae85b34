/**
 * The file of a Unix socket. Several programs may start a manager at one path at once, over a socket whose owner was
 * killed, so nothing here is checked first and done later, unless what was checked cannot change:
 *
 * - A server listens at a name of its own, and then _links_ the socket to the path, which fails if a file is there. So a
 *   socket at the path has listened, and it refuses connections only when its process has ended.
 * - A stale socket is removed by the one process that could make the _claim_ on it: a file that names that socket. The
 *   others have nothing to remove then.
 * - A server removes the file at the path only while it is its own and still listens: no other process removes it then.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type BigIntStats, linkSync, lstatSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import * as NodePath from "node:path"
import * as NetLink from "./netLink.ts"
import { reasonOf } from "./reason.ts"

/** What is at a path, without following links; absent if nothing can be seen there. */
export const look = (path: string): BigIntStats | undefined =>
  Result.getOrUndefined(Result.try(() => lstatSync(path, { bigint: true, throwIfNoEntry: false })))

/** Whether two files are one, at a time when the first one exists. */
const isSame = (file: BigIntStats, other: BigIntStats | undefined): boolean =>
  other !== undefined && file.dev === other.dev && file.ino === other.ino

/** Attempts to link a socket. After each, another process has changed what is at the path, or is about to. */
const attemptsMax = 100

/** Milliseconds between two attempts. */
const pauseMs = 20

/** Links a listening socket to a path. Replaces a stale socket, and nothing else. Fails with the reason. */
export const link = (own: string, path: string): Effect.Effect<void, string> =>
  Effect.gen(function*() {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const linked = Result.try(() => linkSync(own, path))
      if (Result.isSuccess(linked)) return
      const found = look(path)
      if (found === undefined && (linked.failure as NodeJS.ErrnoException).code !== "EEXIST") {
        return yield* Effect.fail(reasonOf(linked.failure))
      }
      if (found?.isSocket() === false) {
        return yield* Effect.fail("a file that is no socket is there. It was left as it is")
      }
      if (found !== undefined && !(yield* isStale(path))) {
        return yield* Effect.fail("EADDRINUSE: another process listens there")
      }
      if (found !== undefined && !removeStale(path, found)) yield* Effect.sleep(pauseMs)
    }
    return yield* Effect.fail(`other processes start there, too. If there are none, remove ${path}*.claim`)
  })

/** Whether no process listens on a socket, because its owner was killed. */
const isStale = (path: string): Effect.Effect<boolean> =>
  Effect.scoped(NetLink.connect({ path })).pipe(
    Effect.as(false),
    Effect.catch(({ reason }) => Effect.succeed(/ECONNREFUSED|ENOENT/.test(reason)))
  )

/** Removes a stale socket, if no other process does. Returns whether it did. */
const removeStale = (path: string, stale: BigIntStats): boolean => {
  const claims: Array<string> = []
  for (;;) {
    const claim = `${path}.${stale.ino}-${stale.mtimeNs}-${claims.length}.claim`
    claims.push(claim)
    const made = Result.try(() => writeFileSync(claim, String(process.pid), { flag: "wx" }))
    if (Result.isSuccess(made)) break
    // A process that died with a claim removes nothing any more: the next number is free to be claimed.
    if (!isDead(claim)) return false
  }
  const now = look(path)
  const isThere = isSame(stale, now) && now?.mtimeNs === stale.mtimeNs
  if (isThere) rmSync(path, { force: true })
  for (const claim of claims) rmSync(claim, { force: true })
  return isThere
}

/** Whether the process that made a claim has ended. One whose number cannot be read is taken to live. */
const isDead = (claim: string): boolean => {
  const pid = Number(Result.getOrElse(Result.try(() => readFileSync(claim, "utf8")), () => ""))
  const asked = Result.try(() => process.kill(pid, 0))
  return Result.isFailure(asked) && (asked.failure as NodeJS.ErrnoException).code === "ESRCH"
}

/** Removes a socket's file if it is still this one. */
export const unlink = (path: string, own: BigIntStats): void => {
  if (isSame(own, look(path))) rmSync(path, { force: true })
}

/** Cleaners of temporary folders remove what has not been touched for some days. */
const touchAfterMs = 3_600_000

/** Touches a socket's file and its folder, rarely. Returns whether the file is there. */
export const touch = (path: string, nowMs: number): boolean => {
  const found = look(path)
  if (found !== undefined && nowMs - Number(found.mtimeMs) > touchAfterMs) {
    // A folder of others cannot be touched.
    for (const file of [path, NodePath.dirname(path)]) Result.try(() => utimesSync(file, nowMs / 1000, nowMs / 1000))
  }
  return found !== undefined
}
