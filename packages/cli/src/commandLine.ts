/**
 * The command line: the commands, their options and their help. The only file that knows Effect's modules for command
 * lines, which are unstable.
 */
import type { Manager } from "@effect-multiprocessing/core"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Argument from "effect/cli/Argument"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import { readFileSync } from "node:fs"
import { Failure, failureOf, wrongUsage } from "./failure.ts"
import * as ManagerAt from "./managerAt.ts"
import * as Objects from "./objects.ts"
import * as Queues from "./queues.ts"
import * as Serve from "./serve.ts"
import * as Signals from "./signals.ts"
import * as Top from "./top.ts"
import * as Values from "./values.ts"

/** An option with the path of a file. */
const file = (name: string, description: string): Flag.Flag<Option.Option<string>> =>
  Flag.String(name).pipe(Flag.withMetavar("FILE"), Flag.withDescription(description), Flag.optional)

const socket = Flag.String("socket").pipe(
  Flag.withMetavar("PATH"),
  Flag.withDescription("The Unix socket of the manager"),
  Flag.optional
)
const url = Flag.String("url").pipe(
  Flag.withMetavar("URL"),
  Flag.withDescription(
    "The URL of the manager: emps://HOST:PORT, or emp://HOST:PORT on this machine. Default: $EMP_URL"
  ),
  Flag.optional
)
const ca = file("ca", "The file with the authorities that are trusted. Default: $EMP_CA, else Node's")
const keyFile = file("key-file", "The file with its key. Default: $EMP_KEY, else the file that $EMP_KEY_FILE names")
const at = {
  socket,
  url,
  ca,
  cert: file("cert", "The certificate of emp for a manager that requires one, in PEM. Default: $EMP_CERT"),
  certKey: file("cert-key", "The private key of the certificate. Default: $EMP_CERT_KEY"),
  keyFile
}

/** An option without a value. */
const option = (name: string, description: string): Flag.Flag<boolean> =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withoutNegation, Flag.withDefault(false))

const json = option("json", "Prints JSON, one value on a line")
const name = Argument.String("name").pipe(Argument.withDescription("The name of the object"))

type Run<Options> = (options: Options) => Effect.Effect<void, unknown, Manager.Manager>

const connected = <Options>(run: Run<Options>) => (options: Options & ManagerAt.ManagerAt) =>
  run(options).pipe(Effect.provide(ManagerAt.layer(options)), Effect.mapError(failureOf))

/** A command that ends by itself. A signal makes it fail. */
const once = <Options>(run: Run<Options>) => (options: Options & ManagerAt.ManagerAt): Effect.Effect<void, Failure> =>
  Signals.orFail(connected(run)(options))

/** A command that a signal ends. */
const live = <Options>(run: Run<Options>) => (options: Options & ManagerAt.ManagerAt): Effect.Effect<void, Failure> =>
  Signals.untilSignal(connected(run)(options))

const serve = Command.make("serve", {
  socket,
  listen: Flag.String("listen").pipe(
    Flag.withMetavar("HOST:PORT"),
    Flag.withDescription("A port of TCP, on this machine only unless there is a certificate. May be repeated"),
    Flag.atLeast(0)
  ),
  cert: file("cert", "The certificate of the ports, in PEM"),
  certKey: file("cert-key", "The private key of the certificate"),
  clientCa: file("client-ca", "The authorities of the certificates that clients must show"),
  keyFile,
  clientKeyFile: file("client-key-file", "The file with a key of clients, which remove nothing of others"),
  observerKeyFile: file("observer-key-file", "The file with a key of observers, which change nothing"),
  makeKeyFile: option("make-key-file", "Makes the key files, for this user only, with new keys, if there are none"),
  kinds: Flag.String("kinds").pipe(
    Flag.withMetavar("MODULE"),
    Flag.withDescription("A module that exports the own kinds of the objects as `kinds`"),
    Flag.optional
  )
}, (options) => Signals.untilSignal(Effect.mapError(Serve.serve(options), failureOf))).pipe(
  Command.withDescription(
    "Runs a manager in the foreground, until SIGINT or SIGTERM, or until an owner shuts it down."
  ),
  Command.withExamples([
    {
      command: "emp serve --socket /run/app/manager --key-file /run/app/key --make-key-file",
      description: "Make a key, and serve with it"
    },
    {
      command: "emp serve --socket ./manager --key-file ./key --observer-key-file ./observer-key",
      description: "Serve observers, too"
    },
    {
      command: "emp serve --socket ./manager --key-file ./key --kinds ./kinds.js",
      description: "Serve own kinds, too"
    },
    {
      command: "emp serve --listen 0.0.0.0:7000 --cert ./cert.pem --cert-key ./cert-key.pem --key-file ./key",
      description: "Serve other machines, encrypted"
    }
  ])
)

const ls = Command.make("ls", { ...at, json }, once(Objects.list)).pipe(
  Command.withDescription("Lists the objects."),
  Command.withExamples([{ command: "emp ls --socket /run/app/manager", description: "With the key of $EMP_KEY_FILE" }])
)

const inspect = Command.make("inspect", { ...at, json, name }, once(Objects.inspect)).pipe(
  Command.withDescription("Shows an object, the processes that hold it and the calls that wait for it."),
  Command.withExamples([
    { command: "emp inspect app/Lock --socket /run/app/manager", description: "Who holds a lock, and who waits" }
  ])
)

const get = Command.make("get", {
  ...at,
  name,
  key: Argument.String("key").pipe(
    Argument.withDescription("A key, a field, or the index of an item"),
    Argument.optional
  )
}, once(Values.get)).pipe(
  Command.withDescription("Prints a value, an entry or an item as JSON."),
  Command.withExamples([
    { command: "emp get app/Count --socket /run/app/manager", description: "A ref" },
    { command: "emp get app/Users ada --socket /run/app/manager", description: "The entry of a map" }
  ])
)

const set = Command.make("set", {
  ...at,
  name,
  keyAndValue: Argument.String("[key] value").pipe(
    Argument.withDescription("The key of an entry, if the object has entries, and the new value as JSON"),
    Argument.between(1, 2)
  )
}, once(Values.set)).pipe(
  Command.withDescription("Replaces a value, an entry or an item by JSON that conforms to its schema."),
  Command.withExamples([
    { command: "emp set app/Count 7 --socket /run/app/manager", description: "A ref" },
    { command: "emp set app/Names ada '\"Ada\"' --socket /run/app/manager", description: "The entry of a map" }
  ])
)

const watch = Command.make("watch", { ...at, name }, live(Values.watch)).pipe(
  Command.withDescription("Prints a value and every change of it as JSON, until a signal ends it."),
  Command.withExamples([{ command: "emp watch app/Count --socket /run/app/manager", description: "Follow a ref" }])
)

const rm = Command.make("rm", { ...at, name }, once(Objects.remove)).pipe(
  Command.withDescription("Removes an object, also while it is in use: its holds are lost, and waiting calls fail."),
  Command.withExamples([{ command: "emp rm app/Queue --socket /run/app/manager", description: "Remove a queue" }])
)

const shutdown = Command.make("shutdown", at, once(Objects.shutdown)).pipe(
  Command.withDescription("Ends the manager, for every program. It needs the key of an owner."),
  Command.withExamples([{ command: "emp shutdown --socket /run/app/manager", description: "End what emp serve runs" }])
)

const queue = Argument.String("queue").pipe(Argument.withDescription("The name of the queue"))

const drain = Command.make("drain", { ...at, queue }, once(Queues.drain)).pipe(
  Command.withDescription("Takes all queued items, and prints them as JSON."),
  Command.withExamples([
    { command: "emp drain app/Jobs --socket /run/app/manager > jobs.jsonl", description: "Keep the items in a file" }
  ])
)

const deadLetters = Command.make("dead-letters", {
  ...at,
  queue,
  retry: option("retry", "Offers their items again"),
  drop: option("drop", "Drops them")
}, once(Queues.deadLetters)).pipe(
  Command.withDescription("Prints the dead letters of a queue as JSON, oldest first."),
  Command.withExamples([
    { command: "emp dead-letters app/Jobs --socket /run/app/manager", description: "Why items failed" },
    { command: "emp dead-letters app/Jobs --retry --socket /run/app/manager", description: "Try all of them again" }
  ])
)

const top = Command.make("top", {
  ...at,
  json,
  once: option("once", "Shows it once, and ends"),
  interval: Flag.Finite("interval").pipe(
    Flag.withMetavar("SECONDS"),
    Flag.withDescription("Seconds from one sample to the next. Default: 1"),
    Flag.filter((seconds) => seconds >= 0.1, () => "it must be at least 0.1"),
    Flag.withDefault(1)
  )
}, live(Top.top)).pipe(
  Command.withDescription("Shows sessions, changes per second, the busiest objects and the longest waits."),
  Command.withExamples([
    { command: "emp top --socket /run/app/manager", description: "Live on a terminal, until Ctrl-C" },
    { command: "emp top --once --json --socket /run/app/manager", description: "One sample for a script" }
  ])
)

const emp = Command.make("emp").pipe(
  Command.withDescription("Starts managers of effect-multiprocessing, and shows and changes what they share."),
  Command.withSubcommands([serve, ls, inspect, get, set, watch, rm, drain, deadLetters, top, shutdown])
)

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }

/** Runs a command line, and returns its exit code. A failure is one line on standard error. */
export const run = (args: ReadonlyArray<string>): Effect.Effect<number> =>
  Command.runWith(emp, { version })(args).pipe(
    Effect.provide(Layer.mergeAll(
      NodeServices.layer,
      CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
      CliOutput.layerPresenter({ present })
    )),
    Effect.exit,
    Effect.flatMap((exit) => Exit.isSuccess(exit) ? Effect.succeed(0) : report(failureIn(exit.cause)))
  )

/** Wrong command lines are reported as all failures are. */
const present = (event: CliOutput.Presenter.Event): Effect.Effect<void> =>
  event._tag === "InvalidInvocation" ? Effect.void : CliOutput.defaultPresenter.present(event)

const failureIn = (cause: Cause.Cause<unknown>): Failure => {
  const error = Cause.squash(cause)
  if (!CliError.isCliError(error)) return failureOf(error)
  if (error._tag !== "ShowHelp") return wrongUsage(error.message)
  const issues = error.errors.map(({ message }) => message.replaceAll(/\s*\n\s*/g, " "))
  // Without an error help was asked for.
  return issues.length === 0
    ? new Failure({ code: 0, message: "" })
    : wrongUsage(`${issues.join(". ")}. See ${error.commandPath.join(" ")} --help`)
}

const report = ({ code, message }: Failure): Effect.Effect<number> =>
  message === "" ? Effect.succeed(code) : Effect.as(Console.error(`emp: ${message}`), code)
