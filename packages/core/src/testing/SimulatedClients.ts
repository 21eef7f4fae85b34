/**
 * The client processes of a simulation. Each has its own link to the server, a recorder on the link, and its faults.
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Connection } from "../client/Connection.ts"
import type { Engine } from "../engine/Engine.ts"
import type { Limits } from "../Limits.ts"
import { makeConnected, Manager } from "../Manager.ts"
import type { ManagerKey } from "../protocol/Handshake.ts"
import { type Link, LinkClosed } from "../transport/Link.ts"
import * as MemoryLink from "../transport/MemoryLink.ts"
import { type Fault, type FaultCounts, faultNames, noFaults } from "./Faults.ts"
import type { CallRecord, WatchRecord } from "./History.ts"
import { type Ended, MemoryProcess, startScoped } from "./MemoryProcess.ts"
import type { Worker } from "./MemorySpawner.ts"
import type { Random } from "./Random.ts"
import { Recorder } from "./Recorder.ts"
import type { Host, Hosts } from "./SimulatedHosts.ts"
import type { Process, World } from "./World.ts"

/** The process of a simulated program. */
export interface Client {
  /** From 0; a process that is started again keeps its number. */
  readonly number: number
  /** Unique, also among earlier processes of this number. */
  readonly name: string
  /** The choices of this process. */
  readonly random: Random
  /** Runs an effect in a fiber that the simulation may interrupt at any step. Returns its exit. */
  readonly cancellable: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<Exit.Exit<A, E>, never, R>
  /** Whether this process has been killed, or its session has ended with its link: others may have what it had. */
  readonly isLost: () => boolean
  /** The number of other processes that still run. */
  readonly others: () => number
  /**
   * Starts another process, with a connection and a unique number of its own. When the scope ends, the process is
   * interrupted, and killed after the grace. It also ends with this process.
   */
  readonly start: (options: StartOptions) => Effect.Effect<Worker, never, Scope.Scope>
}

/** The options of a process that another one starts. */
export interface StartOptions {
  readonly name: string
  /** Its program. `owner` is the link to this process. */
  readonly program: (owner: Link) => Program
  /** The simulated time that its finalizers may take before it is killed. */
  readonly grace: Duration.Input
}

/** The program of a client process. The process has a connection of its own, and a scope that ends with it. */
export type Program = (client: Client) => Effect.Effect<unknown, unknown, Manager | Scope.Scope>

/** The parts that clients are made of. */
export interface ClientsOptions {
  readonly world: World
  readonly random: Random
  /** The probability that a fiber yields before an operation. */
  readonly yields: number
  readonly hosts: Hosts
  readonly key: ManagerKey
  readonly limits: Limits
  /** How long sessions survive their links, in milliseconds; absent: not at all. */
  readonly graceMs: number | undefined
  readonly program: Program
  /** Names of the first processes, by their numbers. */
  readonly names: ReadonlyArray<string>
  /** The number of processes that are started again after a fault ended them. */
  readonly restarts: number
  /** The number of first processes that are always started again: only the loss of their manager ends them. */
  readonly steady: number
  readonly onConnection: (connection: Connection) => void
  readonly violate: (sentence: string) => void
}

/** The start of a client process. */
interface Start {
  readonly number: number
  readonly name: string
  readonly program: Program
  /** Present if another process has started it. */
  readonly owned?: { readonly by: Running; readonly link: MemoryLink.MemoryLinkPair } | undefined
}

/** A link to a manager, and the process of that manager. */
interface Dialed extends MemoryLink.MemoryLinkPair {
  readonly host: Process
}

/** One process, its link and its faults. */
interface Running extends Client {
  readonly process: Process
  readonly life: MemoryProcess
  readonly owned: Start["owned"]
  /** The step from which the steps of its faults are counted: the first call of a process that another one started. */
  faultsFrom: number
  /** Its link to the server, and every earlier one. */
  readonly pairs: Array<Dialed>
  /** Until then there is no other link. */
  unreachableUntil: number
  /** Its connection, once it has one. */
  connection: Connection | undefined
  readonly recorder: Recorder
  readonly fibers: Set<Fiber.Fiber<unknown, unknown>>
  readonly delayedUntil: { client: number; server: number }
  /** Deliveries to the server under way. */
  deliveries: number
  /** The steps in which something was last sent to the client, and last read by it. */
  answeredAt: number
  heardAt: number
  /** The number of next deliveries that come in pieces. */
  splits: number
  isConnected: boolean
  isCut: boolean
  /** Whether its program has succeeded. */
  hasLeft: boolean
}

const networkFailed = "the network failed"

const noManager = "no manager can be reached"

/** The time after which a manager that does not lead any more closes its links, whether or not it has something to do. */
const leaseMs = 2_000

/** How long a client that begins waits until it looks for a manager again. */
const noManagerMs = 100

/** The number of deliveries that one *split* takes apart. */
const splitDeliveries = 16

/** All client processes of a simulation. */
export class Clients {
  readonly struck: FaultCounts = noFaults()
  /** The steps in which faults happened. */
  readonly struckAt: Array<number> = []
  readonly #options: ClientsOptions
  readonly #running: Array<Running> = []
  #restarts: number
  /** The number of handshakes that faults may still break. */
  #connects = 100

  constructor(options: ClientsOptions) {
    this.#options = options
    this.#restarts = options.restarts
  }

  /** Starts the process of a number. */
  start(number: number): void {
    const { names, program } = this.#options
    const incarnation = this.#running.filter((client) => client.number === number).length
    const name = names[number] ?? `client ${number}`
    this.#start({ number, program, name: incarnation === 0 ? name : `${name}, process ${incarnation + 1}` })
  }

  #start({ name, number, owned, program }: Start): Running {
    const { graceMs, hosts, key, limits, onConnection, random, world, yields } = this.#options
    const process = world.process(yields)
    const fibers = new Set<Fiber.Fiber<unknown, unknown>>()
    const client: Running = {
      number,
      name,
      process,
      life: new MemoryProcess({
        number,
        executor: process,
        owner: owned?.by.life,
        onEnd: (ended) => this.#ended(client, ended)
      }),
      owned,
      faultsFrom: owned === undefined ? 0 : Infinity,
      fibers,
      random: random.fork(),
      recorder: new Recorder({
        client: name,
        clock: "the world's",
        now: () => world.tick(),
        kindOf: (object) => hosts.engine.state.objects.get(object)?.kind.name
      }),
      pairs: [],
      unreachableUntil: 0,
      connection: undefined,
      delayedUntil: { client: 0, server: 0 },
      deliveries: 0,
      answeredAt: -1,
      heardAt: -1,
      splits: 0,
      isConnected: false,
      isCut: false,
      hasLeft: false,
      isLost: () => process.isKilled || (graceMs === undefined ? client.isCut : this.#hasLost(client)),
      others: () => this.#running.filter((other) => other !== client && isAlive(other)).length,
      cancellable: (effect) =>
        Effect.flatMap(Effect.forkChild(effect), (fiber) => {
          fibers.add(fiber)
          fiber.addObserver(() => fibers.delete(fiber))
          return Fiber.await(fiber)
        }),
      start: (options) => this.#startFor(client, options)
    }
    this.#running.push(client)
    const open: Effect.Effect<Link, LinkClosed, Scope.Scope> = Effect.suspend(() => {
      const { reached } = hosts
      if (world.now < client.unreachableUntil) return Effect.fail(new LinkClosed({ reason: "the network has failed" }))
      if (reached !== undefined) {
        return Effect.map(this.#link(client, reached), (link) => client.recorder.listen(link))
      }
      // One that begins waits for a manager.
      return client.isConnected ? Effect.fail(new LinkClosed({ reason: noManager })) : Effect.delay(open, noManagerMs)
    })
    const main = Effect.gen(function*() {
      const label = { name, pid: number }
      const reconnect = graceMs === undefined ? undefined : { grace: graceMs }
      const manager = yield* makeConnected(open, { address: "the simulation", key, label, limits, reconnect })
      client.isConnected = true
      client.connection = manager.connection
      if (owned !== undefined) client.faultsFrom = world.steps
      onConnection(manager.connection)
      yield* Effect.provideService(program(client), Manager, manager)
    })
    client.life.run(Effect.scoped(main), process.context)
    return client
  }

  /** Opens a link to the server. */
  #link(client: Running, { process, server }: Host): Effect.Effect<Link, never, Scope.Scope> {
    const open = Effect.sync(() => {
      const made = MemoryLink.makePair({
        schedule: (task, end) => this.#deliver(client, process, end, task),
        deliverBytes: (available) => this.#deliverBytes(client, available)
      })
      const pair = { ...made, host: process }
      client.pairs.push(pair)
      Effect.runForkWith(process.context)(Effect.scoped(server.serve(pair.server))).addObserver(() =>
        pair.cut("the server has closed it")
      )
      return pair
    })
    const close = (pair: MemoryLink.MemoryLinkPair) => Effect.sync(() => pair.end("client", "the client has closed it"))
    return Effect.map(Effect.acquireRelease(open, close), ({ client }) => client)
  }

  /** Whether the session of a client has ended before its process has: for the client first, or for the manager. */
  #hasLost({ connection, hasLeft }: Running): boolean {
    if (connection === undefined || hasLeft) return false
    const { sessions } = this.#options.hosts.engine.state
    return connection.ended !== undefined || !sessions.has(connection.agreement.session)
  }

  #startFor(owner: Running, { grace, name, program }: StartOptions): Effect.Effect<Worker, never, Scope.Scope> {
    return startScoped(() => {
      // Its faults are those of the link to the server.
      const link = MemoryLink.makePair({
        schedule: (task, end) =>
          end === "client"
            ? this.#later(owner.process, child.delayedUntil.server, task)
            : this.#later(child.process, child.delayedUntil.client, task),
        deliverBytes: (available) => this.#deliverBytes(child, available)
      })
      const owned = { by: owner, link }
      const child = this.#start({ number: this.#running.length, name, program: program(link.server), owned })
      return { process: child.life, link: link.client }
    }, grace)
  }

  /** Lets a fault happen. Returns false if it cannot happen yet, and true if its client has ended. */
  strike(fault: Fault): boolean {
    const client = this.#running.findLast(({ number }) => number === fault.client)
    const { steps } = this.#options.world
    // The client may be started later.
    if (client === undefined || steps < client.faultsFrom + fault.at) return false
    if (!isAlive(client)) return true
    if (fault.moment === "answered" && client.answeredAt !== steps) return false
    if (fault.moment === "heard" && client.heardAt !== steps) return false
    if (!this.#strike(fault, client)) return false
    this.struck[fault.fault]++
    this.struckAt.push(steps)
    this.#options.world.mark(faultNames.indexOf(fault.fault))
    return true
  }

  /** Calls and watches of all clients. */
  history(): { readonly records: Array<CallRecord>; readonly watches: Array<WatchRecord> } {
    return {
      records: this.#running.flatMap(({ recorder }) => recorder.records),
      watches: this.#running.flatMap(({ recorder }) => recorder.watches)
    }
  }

  /** The clients that still run when nothing can happen any more, as sentences. */
  unfinished(engine: Engine): ReadonlyArray<string> {
    return this.#open(engine).map(([name, calls]) =>
      `${name} waits for ever: ${calls.length === 0 ? "for nothing it has asked" : calls.join(", ")}`
    )
  }

  /** The calls under which a run was stopped, as sentences. */
  stopped(engine: Engine): ReadonlyArray<string> {
    return this.#open(engine).flatMap(([name, calls]) => calls.map((call) => `${name} has called ${call}`))
  }

  /** The clients that run, each with its open calls. */
  #open(engine: Engine): ReadonlyArray<readonly [client: string, calls: ReadonlyArray<string>]> {
    return this.#running.filter(isAlive).map(({ name, recorder }) => {
      const open = recorder.records.filter((record) => record.outcome === undefined && record.fate === undefined)
      const calls = open.map(({ object, operation, sequence, session }) => {
        const isWaiting = engine.state.sessions.get(session)?.parked.has(sequence) === true
        return `${operation} on ${describe(engine, object)} (${isWaiting ? "waits in the manager" : "has no reply"})`
      })
      return [name, calls]
    })
  }

  /** A process of a manager has died, or another one leads: sessions without a grace have ended. */
  lost(host: Process, isDead: boolean): void {
    for (const client of this.#running) {
      const pair = client.pairs.at(-1)
      if (pair?.host !== host || !isAlive(client)) continue
      client.isCut = true
      if (isDead) pair.cut("the manager has died")
      else this.#options.world.sleep(client.process, leaseMs, () => pair.cut("another manager leads"))
    }
  }

  #strike({ fault, milliseconds, moment, server }: Fault, client: Running): boolean {
    const { hosts, random, world } = this.#options
    switch (fault) {
      case "kill":
        client.life.signal("SIGKILL")
        this.#restart(client)
        return true
      case "cut":
      case "half": {
        const pair = client.pairs.at(-1)
        if (pair === undefined) return false
        client.isCut = true
        client.unreachableUntil = world.now + (fault === "cut" ? milliseconds : 0)
        if (fault === "cut") pair.cut(networkFailed)
        else {
          pair.lose(server ? "server" : "client", networkFailed)
          world.sleep(server ? client.process : pair.host, milliseconds, () => pair.cut(networkFailed))
        }
        return true
      }
      case "delay":
        client.delayedUntil[server ? "server" : "client"] = world.now + milliseconds
        return true
      case "split":
        client.splits += splitDeliveries
        return true
      case "pause":
        ;(server ? hosts.reached?.process : client.process)?.pause(milliseconds)
        return true
      case "cancel": {
        if (client.fibers.size === 0) return false
        // Only the client knows which fiber a reply was for, so at such a moment all are interrupted.
        const fibers = [...client.fibers]
        for (const fiber of moment === "at once" ? [random.pick(fibers)] : fibers) fiber.interruptUnsafe()
        return true
      }
      case "rush":
        return world.rush()
    }
  }

  #deliver(client: Running, host: Process, end: "client" | "server", deliver: () => void): void {
    const { world } = this.#options
    const process = end === "server" ? host : client.process
    if (end === "server") client.deliveries++
    else client.answeredAt = world.steps
    const task = () => {
      deliver()
      if (end === "server") client.deliveries--
      else client.heardAt = world.steps
      this.#close(client)
    }
    this.#later(process, client.delayedUntil[end], task)
  }

  /** Runs a task of a process in a later turn, and not before a time. */
  #later(process: Process, time: number, task: () => void): void {
    const { world } = this.#options
    if (time > world.now) world.sleep(process, time - world.now, task)
    else process.scheduleTask(task)
  }

  /** The number of available bytes that a link of a process delivers now. */
  #deliverBytes(client: Running, available: number): number {
    return client.splits > 0 && client.splits-- > 0 ? 1 + this.#options.random.below(available) : available
  }

  /** The client's end closes the link after all that was sent has been delivered. */
  #close({ deliveries, life, pairs, process }: Running): void {
    if (life.isAlive || process.isKilled || deliveries > 0) return
    for (const pair of pairs) pair.cut("the client has closed it")
  }

  #ended(client: Running, exit: Ended): void {
    client.owned?.link.end("server", "the process has ended")
    client.hasLeft = exit !== "killed" && Exit.isSuccess(exit)
    // A task, so that messages under way may arrive or be lost.
    if (exit === "killed") {
      const pair = client.pairs.at(-1)
      return pair?.host.scheduleTask(() => pair.cut("the client was killed"))
    }
    this.#close(client)
    // The process that started it judges its end.
    if (client.owned !== undefined) return
    if (Exit.isFailure(exit)) {
      const isHarmless = !Cause.hasDies(exit.cause) &&
        (this.#options.hosts.struck > 0 || Object.values(this.struck).some((times) => times > 0))
      if (!isHarmless) this.#options.violate(`${client.name} failed: ${Cause.pretty(exit.cause)}`)
      else if (!client.isConnected && this.#connects-- > 0) return this.start(client.number)
    }
    const isLost = this.#options.graceMs === undefined
      ? client.isCut
      : client.isCut && !client.hasLeft || this.#hasLost(client)
    if (isLost) this.#restart(client)
  }

  #restart({ number, owned }: Running): void {
    if (owned === undefined && (number < this.#options.steady || this.#restarts-- > 0)) this.start(number)
  }
}

const isAlive = ({ life }: Running): boolean => life.isAlive

/** A shared object as text: its kind and name, or its id if it has no name or is gone. */
export const describe = ({ state }: Engine, id: number): string => {
  const object = state.objects.get(id)
  return object?.name === undefined ? `#${id}` : `${object.kind.name} ${JSON.stringify(object.name)}`
}
