/** Where this package makes folders for files that live as long as a process. */
import * as NodePath from "node:path"

/**
 * The folders to try, the best first. That of the user's session comes first, because no cleaner of temporary files looks
 * there. `/dev/shm` comes last: it is writable in a container whose file system is read-only.
 */
export const temporaryFolders = (): ReadonlyArray<string> => {
  const named = [process.env["XDG_RUNTIME_DIR"], process.env["TMPDIR"]].filter((folder) => folder)
  return [...new Set([...named, "/tmp", "/dev/shm"].map((folder) => NodePath.resolve(folder!)))]
}
