/**
 * A crawler on two machines, one of which fails with everything on it: the leader of the manager, and processes that were in
 * the middle of a page. The program (`crawler.ts`) is as on one machine: `machine.ts` gives it another layer of the manager,
 * and nothing else.
 *
 *     $ npm run example examples/50_two_machines/main.ts
 *     each machine is a network namespace, and a cable connects the two
 *     machine 1: crawls with two processes
 *     machine 2: crawls with two processes
 *     machine 1, which leads, has failed: all its processes were killed, two of them in the middle of a page
 *     machine 2: 60 pages have been visited
 *     2 pages were fetched again: their first fetch was cut off
 *     verified: no page was lost, and no other page was fetched twice
 *
 * The frontier is the own type of example 28. A process holds the page that it visits; when its session has ended, which is
 * after the grace of five seconds, another process gets the page. So a page is fetched twice only if the first fetch did not
 * come to its end.
 *
 * A machine that fails is unplugged before its processes are killed, so nothing tells the other one. Namespaces need Linux,
 * `unshare`, `nsenter` and `ip`, and the right to use them: that of root, or of any user where user namespaces are allowed.
 * Without it each machine is a group of processes, and the first line says why. `--groups` chooses that.
 *
 * PostgreSQL is the one of this repository's tests, or the one of `DATABASE_URL`. Machines that are namespaces reach it by a Unix
 * socket only.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Config, Console, Data, Effect, FileSystem, Option, Path, Schedule } from "effect"
import { randomUUID } from "node:crypto"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { Told } from "./machine.ts"
import { kindOf, type Machine, make, tryNamespaces } from "./machines.ts"
import { allPages, serve, type Web } from "./web.ts"

/** The example could not be shown. */
class NotShown extends Data.TaggedError("NotShown")<{ readonly message: string }> {}

/** What starts the PostgreSQL of the tests. It is not in the packages. */
const starter = new URL("../../test/support/postgres.ts", import.meta.url).href

interface Starter {
  readonly setup: (
    options: { readonly provide: (name: string, folder: string) => void }
  ) => Promise<() => Promise<void>>
}

const database = Effect.gen(function*() {
  const given = yield* Config.option(Config.String("DATABASE_URL"))
  if (Option.isSome(given)) return given.value
  let folder = ""
  yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        const { setup }: Starter = await import(starter)
        return setup({ provide: (_, provided) => folder = provided })
      },
      catch: (error) => new NotShown({ message: `there is no PostgreSQL. Set DATABASE_URL: ${error}` })
    }),
    (end) => Effect.promise(end)
  )
  return `postgres://postgres@localhost/postgres?host=${folder}`
})

const { values: { groups = false } } = parseArgs({ options: { groups: { type: "boolean" } } })

/** Waits for a condition, while machines run. */
const until = (holds: () => boolean, ...machines: ReadonlyArray<Machine>) =>
  Effect.raceAllFirst([
    Effect.repeat(Effect.void, { schedule: Schedule.spaced("10 millis"), until: holds }),
    ...machines.map(({ exit }) => Effect.andThen(exit, new NotShown({ message: "a machine has ended too early" })))
  ])

/** Prints whether all is as it must be. */
const verify = ({ broken, fetches }: Web) =>
  Effect.gen(function*() {
    const lost = allPages().filter((name) => !fetches.has(name))
    const odd = [...fetches].filter(([name, count]) => count !== (broken.has(name) ? 2 : 1)).map(([name]) => name)
    yield* Console.log(`${broken.size} pages were fetched again: their first fetch was cut off`)
    if (lost.length + odd.length === 0) {
      return yield* Console.log("verified: no page was lost, and no other page was fetched twice")
    }
    yield* Console.log(`NOT verified: lost: ${lost.join(", ")}; fetched too often, or not again: ${odd.join(", ")}`)
    process.exitCode = 2
  })

const main = Effect.gen(function*() {
  const url = yield* database
  const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
  const socket = (yield* Path.Path).join(folder, "web")
  // It stands still then, so that all four processes are in the middle of a page.
  const web = yield* serve(socket, 20)
  const kind = groups ? { _tag: "Groups", why: "so says --groups" } as const : kindOf(tryNamespaces())
  yield* Console.log(
    kind._tag === "Namespaces"
      ? "each machine is a network namespace, and a cable connects the two"
      : `each machine is a group of processes: ${kind.why}`
  )
  const start = yield* make(kind)
  const [realm, key] = [randomUUID(), randomUUID()]
  const begin = Effect.fnUntraced(function*(number: number) {
    let lines = 0
    const machine = yield* start({
      number,
      program: (host) => [
        fileURLToPath(new URL("./machine.ts", import.meta.url)),
        JSON.stringify({ url, realm, key, host } satisfies Told)
      ],
      environment: { WEB: socket },
      onLine: (line) => {
        lines++
        console.log(`machine ${number}: ${line}`)
      }
    })
    yield* until(() => lines > 0, machine)
    return machine
  })

  // The first one leads: there was no other when it began.
  const first = yield* begin(1)
  const second = yield* begin(2)
  yield* until(() => web.waiting() === 4, first, second)
  yield* first.fail
  yield* until(() => web.broken.size === 2, second)
  yield* Console.log(
    "machine 1, which leads, has failed: all its processes were killed, two of them in the middle of a page"
  )
  web.resume()
  yield* second.exit
  yield* verify(web)
}).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

NodeRuntime.runMain(main)
