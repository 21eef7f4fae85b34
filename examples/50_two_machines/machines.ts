/**
 * Two machines on this one. Where the system allows it each is a network namespace of its own, and a cable connects the two;
 * otherwise each is a group of processes. A machine that fails is unplugged, then all its processes are killed.
 */
import { Effect, Scope } from "effect"
import { type ChildProcess, execFileSync, spawn, spawnSync, type SpawnSyncReturns } from "node:child_process"
import { createInterface } from "node:readline"

/** What the machines are, and the reason if they are not namespaces. */
export type Kind = { readonly _tag: "Namespaces" } | { readonly _tag: "Groups"; readonly why: string }

/** How a trial of namespaces has ended. */
export type Trial = Pick<SpawnSyncReturns<string>, "error" | "status" | "stderr">

/** Namespaces, unless the trial of them was refused. */
export const kindOf = ({ error, status, stderr }: Trial): Kind =>
  status === 0
    ? { _tag: "Namespaces" }
    : { _tag: "Groups", why: error?.message ?? stderr.trim().split("\n")[0]! }

/** Does for a moment all that the machines need: enters a namespace, makes another one in it, and lays a cable there. */
export const tryNamespaces = (): Trial => {
  const [file, ...args] = [...apart, "sh", "-c", `nsenter --target=$$ --net unshare --net ${layCable.join(" ")}`]
  return spawnSync(file!, args, { encoding: "utf8" })
}

/** A machine. */
export interface Machine {
  /** Waits until its program has ended. */
  readonly exit: Effect.Effect<void>
  /** Unplugs it, and kills all its processes. */
  readonly fail: Effect.Effect<void>
}

/** What runs on a machine. */
export interface Running {
  /** 1 or 2, each once. */
  readonly number: number
  /** The file and its arguments, on a machine of this address. */
  readonly program: (host: string) => ReadonlyArray<string>
  readonly environment: Readonly<Record<string, string>>
  /** Gets each line of its output. */
  readonly onLine: (line: string) => void
}

/** Makes the place of the machines, for the life of the scope. Returns what starts one, which ends with it. */
export const make = Effect.fnUntraced(function*(kind: Kind) {
  const network = kind._tag === "Namespaces" ? yield* makeNetwork : undefined
  const scope = yield* Effect.scope
  return Effect.fnUntraced(function*({ environment, number, onLine, program }: Running) {
    const host = network === undefined ? "127.0.0.1" : addressOf(number)
    const command = [process.execPath, ...process.execArgv, ...program(host)]
    const [file, ...args] = network === undefined ? command : network.within(number, command)
    const child = spawn(file!, args, {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "inherit"],
      // A group of its own: a signal of the terminal is for the program that was started there.
      detached: true
    })
    const pid = child.pid!
    yield* Scope.addFinalizer(scope, Effect.sync(() => killAll(pid)))
    const lines = createInterface(child.stdout)
    if (network !== undefined) {
      yield* Effect.callback<void>((resume) => void lines.once("line", () => resume(Effect.void)))
      network.plug(number, pid)
    }
    lines.on("line", onLine)
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()))
    return {
      exit: Effect.promise(() => ended),
      fail: Effect.sync(() => {
        network?.unplug(number, pid)
        killAll(pid)
      })
    } satisfies Machine
  })
})

// internals

const isRoot = process.getuid?.() === 0

/** Begins a command in a namespace of its own. Only root needs none for users, where it is root. */
const apart = ["unshare", ...isRoot ? [] : ["--user", "--map-root-user"], "--net"]

/** Begins a command in the namespace of a process. */
const within = (pid: number): ReadonlyArray<string> => [
  "nsenter",
  `--target=${pid}`,
  ...isRoot ? [] : ["--user", "--preserve-credentials"],
  "--net"
]

const layCable = ["ip", "link", "add", "cable1", "type", "veth", "peer", "name", "cable2"]

const addressOf = (number: number): string => `10.50.0.${number}`

/** Says that it has its namespace, waits for its end of the cable, then becomes the program. */
const boot = `
echo
until ip link show cable$0 >/dev/null 2>&1; do sleep 0.02; done
ip link set lo up
ip address add $1/24 dev cable$0
ip link set cable$0 up
shift
exec "$@"
`

/** A namespace in which the ends of the cable are until they are plugged in. */
const makeNetwork = Effect.gen(function*() {
  const { pid } = yield* Effect.acquireRelease(
    Effect.callback<ChildProcess>((resume) => {
      const [file, ...args] = [...apart, "sh", "-c", "echo && read -r end"]
      const holder = spawn(file!, args, { stdio: ["pipe", "pipe", "inherit"] })
      holder.stdout.once("data", () => resume(Effect.succeed(holder)))
    }),
    (holder) => Effect.sync(() => holder.kill("SIGKILL"))
  )
  const run = (...[file, ...args]: ReadonlyArray<string>) => void execFileSync(file!, args)
  run(...within(pid!), ...layCable)
  return {
    within: (number: number, command: ReadonlyArray<string>): ReadonlyArray<string> => [
      ...within(pid!),
      "unshare",
      "--net",
      "sh",
      "-c",
      boot,
      `${number}`,
      addressOf(number),
      ...command
    ],
    plug: (number: number, machine: number): void =>
      run(...within(pid!), "ip", "link", "set", `cable${number}`, "netns", `${machine}`),
    unplug: (number: number, machine: number): void =>
      run(...within(machine), "ip", "link", "set", `cable${number}`, "down")
  }
})

/** Kills a process and all that it has started, at once. */
const killAll = (pid: number): void => {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
  const all = new Set(table.some(([found]) => found === pid) ? [pid] : [])
  for (const parent of all) for (const [child, of] of table) if (of === parent) all.add(child!)
  for (const one of all) process.kill(one, "SIGKILL")
}
