/**
 * The client processes of a simulation: each with its own link to the server, a recorder on it, and the faults that
 * strike it.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Engine } from "../engine/Engine.ts"
import type { Limits } from "../Limits.ts"
import { makeConnected, Manager } from "../Manager.ts"
import type { ManagerKey } from "../protocol/Handshake.ts"
import type { Connection } from "../proxy/Connection.ts"
import type { Server } from "../server/Server.ts"
import * as MemoryLink from "../transport/MemoryLink.ts"
import { type Fault, type FaultCounts, faultNames, noFaults } from "./Faults.ts"
import type { CallRecord, WatchRecord } from "./History.ts"
import type { Random } from "./Random.ts"
import { Recorder } from "./Recorder.ts"
import type { Process, World } from "./World.ts"

/** What a simulated program knows of the process it runs in. */
export interface Client {
  /** From 0; a process that is started again keeps its number. */
  readonly number: number
  /** Unlike any other, that of an earlier process of this number included. */
  readonly name: string
  /** Choices of this process alone. */
  readonly random: Random
  /** Runs an effect in a fiber that the simulation may interrupt at any step; answers how it ended. */
  readonly cancellable: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<Exit.Exit<A, E>, never, R>
  /** Whether this process has been killed, or its link cut. */
  readonly isLost: () => boolean
  /** How many other processes still run. */
  readonly others: () => number
}

/** What a client process runs: it has a manager of its own, and a scope that ends with it. */
export type Program = (client: Client) => Effect.Effect<unknown, unknown, Manager | Scope.Scope>

/** What clients are made of. */
export interface ClientsOptions {
  readonly world: World
  readonly random: Random
  /** How eagerly fibers yield. */
  readonly yields: number
  readonly server: Server
  readonly serverProcess: Process
  readonly key: ManagerKey
  readonly limits: Limits
  readonly program: Program
  /** How many processes are started again after a fault ended them. */
  readonly restarts: number
  readonly onConnection: (connection: Connection) => void
  readonly violate: (sentence: string) => void
}

/** One process, its link and what is wrong with it. */
interface Running extends Client {
  readonly process: Process
  readonly pair: MemoryLink.MemoryLinkPair
  readonly recorder: Recorder
  readonly fibers: Set<Fiber.Fiber<unknown, unknown>>
  readonly delayedUntil: { client: number; server: number }
  /** Deliveries to the server under way. */
  deliveries: number
  /** The steps in which something was last sent to the client, and last read by it. */
  answeredAt: number
  heardAt: number
  /** Deliveries that will come in pieces. */
  splits: number
  isConnected: boolean
  isCut: boolean
  hasEnded: boolean
}

/** Deliveries that one *split* takes apart. */
const splitDeliveries = 16

/** All client processes of a simulation. */
export class Clients {
  readonly struck: FaultCounts = noFaults()
  readonly #options: ClientsOptions
  readonly #running: Array<Running> = []
  #restarts: number
  /** Handshakes that a fault may break before the program begins. */
  #connects = 100

  constructor(options: ClientsOptions) {
    this.#options = options
    this.#restarts = options.restarts
  }

  /** Starts the process of a number. */
  start(number: number): void {
    const { key, limits, onConnection, program, random, server, serverProcess, world, yields } = this.#options
    const incarnation = this.#running.filter((client) => client.number === number).length
    const name = incarnation === 0 ? `client ${number}` : `client ${number}, process ${incarnation + 1}`
    const process = world.process(yields)
    const fibers = new Set<Fiber.Fiber<unknown, unknown>>()
    const client: Running = {
      number,
      name,
      process,
      fibers,
      random: random.fork(),
      recorder: new Recorder({ client: name, clock: "the world's", now: () => world.tick() }),
      pair: MemoryLink.makePair({
        schedule: (task, end) => this.#deliver(client, end, task),
        deliverBytes: (available) => client.splits > 0 && client.splits-- > 0 ? 1 + random.below(available) : available
      }),
      delayedUntil: { client: 0, server: 0 },
      deliveries: 0,
      answeredAt: -1,
      heardAt: -1,
      splits: 0,
      isConnected: false,
      isCut: false,
      hasEnded: false,
      isLost: () => client.isCut || process.isKilled,
      others: () => this.#running.filter((other) => other !== client && isAlive(other)).length,
      cancellable: (effect) =>
        Effect.flatMap(Effect.forkChild(effect), (fiber) => {
          fibers.add(fiber)
          fiber.addObserver(() => fibers.delete(fiber))
          return Fiber.await(fiber)
        })
    }
    this.#running.push(client)
    Effect.runForkWith(serverProcess.context)(Effect.scoped(server.serve(client.pair.server))).addObserver(() =>
      client.pair.cut("the server has closed it")
    )
    const main = Effect.gen(function*() {
      const link = client.recorder.listen(client.pair.client)
      const label = { name, pid: number }
      const manager = yield* makeConnected(Effect.succeed(link), { address: "the simulation", key, label, limits })
      client.isConnected = true
      onConnection(manager.connection)
      yield* Effect.provideService(program(client), Manager, manager)
    })
    Effect.runForkWith(process.context)(Effect.scoped(main)).addObserver((exit) => this.#ended(client, exit))
  }

  /** Lets a fault happen; false if it cannot happen yet. One that nobody is left for is done. */
  strike(fault: Fault): boolean {
    const client = this.#running.findLast(({ number }) => number === fault.client)
    if (client === undefined || !isAlive(client)) return true
    const { steps } = this.#options.world
    if (fault.moment === "answered" && client.answeredAt !== steps) return false
    if (fault.moment === "heard" && client.heardAt !== steps) return false
    if (!this.#strike(fault, client)) return false
    this.struck[fault.fault]++
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

  /** Clients that have not ended though nothing can happen any more, as sentences. */
  unfinished(engine: Engine): ReadonlyArray<string> {
    return this.#running.filter(isAlive).map(({ name, recorder }) => {
      const open = recorder.records.filter((record) => record.outcome === undefined && record.fate === undefined)
      const calls = open.map(({ object, operation, sequence, session }) => {
        const isWaiting = engine.state.sessions.get(session)?.calls.get(sequence)?._tag === "Parked"
        return `${operation} on #${object} (${isWaiting ? "waits in the manager" : "never answered"})`
      })
      return `${name} waits for ever: ${calls.length === 0 ? "for nothing it has asked" : calls.join(", ")}`
    })
  }

  #strike({ fault, milliseconds, moment, server }: Fault, client: Running): boolean {
    const { random, serverProcess, world } = this.#options
    switch (fault) {
      case "kill":
        client.process.kill()
        // What it has sent may still arrive, or not.
        serverProcess.scheduleTask(() => client.pair.cut("the client was killed"))
        this.#restart(client)
        return true
      case "cut":
        client.isCut = true
        client.pair.cut("the network failed")
        return true
      case "delay":
        client.delayedUntil[server ? "server" : "client"] = world.now + milliseconds
        return true
      case "split":
        client.splits += splitDeliveries
        return true
      case "pause":
        ;(server ? serverProcess : client.process).pause(milliseconds)
        return true
      case "cancel": {
        if (client.fibers.size === 0) return false
        // Whom a reply was for, only the client knows: at such a moment it is all of them.
        const fibers = [...client.fibers]
        for (const fiber of moment === "at once" ? [random.pick(fibers)] : fibers) fiber.interruptUnsafe()
        return true
      }
      case "rush":
        return world.rush()
    }
  }

  #deliver(client: Running, end: "client" | "server", deliver: () => void): void {
    const { serverProcess, world } = this.#options
    const process = end === "server" ? serverProcess : client.process
    const milliseconds = client.delayedUntil[end] - world.now
    if (end === "server") client.deliveries++
    else client.answeredAt = world.steps
    const task = () => {
      deliver()
      if (end === "server") client.deliveries--
      else client.heardAt = world.steps
      this.#close(client)
    }
    if (milliseconds > 0) world.sleep(process, milliseconds, task)
    else process.scheduleTask(task)
  }

  /** A link is closed by its client's end, once what was sent has gone out. */
  #close({ deliveries, hasEnded, pair }: Running): void {
    if (hasEnded && deliveries === 0) pair.cut("the client has closed it")
  }

  #ended(client: Running, exit: Exit.Exit<unknown, unknown>): void {
    client.hasEnded = true
    this.#close(client)
    if (Exit.isFailure(exit)) {
      const isHarmless = !Cause.hasDies(exit.cause) && Object.values(this.struck).some((times) => times > 0)
      if (!isHarmless) this.#options.violate(`${client.name} failed: ${Cause.pretty(exit.cause)}`)
      else if (!client.isConnected && this.#connects-- > 0) return this.start(client.number)
    }
    if (client.isCut) this.#restart(client)
  }

  #restart({ number }: Running): void {
    if (this.#restarts-- > 0) this.start(number)
  }
}

const isAlive = ({ hasEnded, process }: Running): boolean => !hasEnded && !process.isKilled
