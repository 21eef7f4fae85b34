/**
 * The conformance of a log: a random interleaving of hosts that claim, append, repeat, read and take snapshots, compared
 * with a model. For every implementation of `Log`, also those outside of this project.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Entry, type Leadership, Log, LogUnavailable, type Snapshot } from "../Log.ts"
import { Random } from "./Random.ts"

/** The options of a check. */
export interface CheckLogOptions {
  /** Decides the run. */
  readonly seed: number
  /** A realm that the log has never had. The check also uses a second one, whose name begins with this one. */
  readonly realm: string
  /** The operations of the run. Default: 100. */
  readonly operations?: number | undefined
}

/**
 * Checks a log. Returns each difference from what `Log` promises as a sentence, with the operations that led to it. Empty:
 * there is none.
 *
 * ```ts
 * assert.deepStrictEqual(yield* checkLog({ seed, realm: `check-${seed}` }), [])
 * ```
 */
export const checkLog = (options: CheckLogOptions): Effect.Effect<ReadonlyArray<string>, never, Log> =>
  Effect.scoped(
    Effect.gen(function*() {
      const log = yield* Log
      const check = new Check(log, options)
      const run = check.run(options.operations ?? 100)
      const ended = yield* Effect.exit(run)
      return Exit.isSuccess(ended) ? [] : [`${ended.cause}\nafter: ${check.trace.join(", ")}`]
    })
  )

// internals

/** What a realm must be. */
class Model {
  readonly realm: string
  epoch = 0
  leader: Option.Option<number> = Option.none()
  readonly entries: Array<Entry> = []
  snapshot: (Omit<Snapshot, "bytes"> & { readonly bytes: ReadonlyArray<number> }) | undefined

  constructor(realm: string) {
    this.realm = realm
  }

  get compacted(): number {
    return this.snapshot?.position ?? 0
  }
}

/** A host that has claimed a realm, and may have been replaced since. */
interface Host {
  readonly model: Model
  readonly leadership: Leadership
  readonly scope: Scope.Closeable
  /** Its last append that succeeded. */
  last: Entry | undefined
}

const addressOf = (port: number) => ({ host: "host.test", port })

const versions = 3

class Check {
  readonly trace: Array<string> = []
  readonly #log: Log["Service"]
  readonly #random: Random
  readonly #models: ReadonlyArray<Model>
  #hosts: Array<Host> = []
  #ports = 1

  constructor(log: Log["Service"], { realm, seed }: CheckLogOptions) {
    this.#log = log
    this.#random = new Random(seed)
    this.#models = [new Model(realm), new Model(`${realm} 'é"/%_\\`)]
  }

  readonly run = Effect.fnUntraced(function*(this: Check, operations: number) {
    const [followed] = this.#models
    const follower = yield* Effect.forkScoped(this.#follow(followed!))
    for (const model of this.#models) yield* this.#look(model)
    for (let i = 0; i < operations; i++) yield* this.#operation()
    for (const model of this.#models) {
      yield* this.#claim(model)
      yield* this.#append(this.#hosts.at(-1)!, end)
      yield* this.#look(model)
      yield* this.#read(model, model.compacted)
    }
    // Seldom, since it takes the memory of a whole entry.
    if (this.#random.chance(0.1)) yield* this.#refuseLarge(this.#hosts.at(-1)!)
    const seen = yield* Fiber.join(follower)
    for (const [position, entry] of seen) {
      same("what a follower read", describe(entry), describe(followed!.entries[position - 1]))
    }
    for (const { scope } of this.#hosts) yield* Scope.close(scope, Exit.void)
    for (const model of this.#models) model.leader = Option.none()
    for (const model of this.#models) yield* this.#look(model)
  })

  #operation(): Effect.Effect<void, unknown> {
    const random = this.#random
    const model = random.pick(this.#models)
    const hosts = this.#hosts.filter((host) => host.model === model)
    if (hosts.length === 0 || random.chance(0.1)) return this.#claim(model)
    // Mostly the one that leads.
    const host = random.chance(0.7) ? hosts.at(-1)! : random.pick(hosts)
    const operations = [
      ...Array.from({ length: 8 }, () => () => this.#append(host)),
      () => this.#repeat(host),
      () => this.#appendElsewhere(host),
      () => this.#confirm(host),
      () => this.#look(model),
      () => this.#read(model, random.below(model.entries.length + 3)),
      () => this.#claimStale(model),
      () => this.#claimTogether(model),
      () => this.#claimMeanwhile(host),
      () => this.#giveUp(host),
      () => this.#snapshot(model),
      () => this.#putSnapshot(model),
      () => this.#breakSnapshot(model)
    ]
    return random.pick(operations)()
  }

  #leads({ leadership, model }: Host): boolean {
    return leadership.epoch === model.epoch
  }

  #note(operation: string, { realm }: Model): void {
    this.trace.push(realm === this.#models[0]!.realm ? operation : `${operation} (in the second realm)`)
  }

  // -------------------------------------------------------------------------------------------------------------
  // epochs
  // -------------------------------------------------------------------------------------------------------------

  #tryClaim(model: Model, seen: Effect.Success<ReturnType<Log["Service"]["head"]>>, port: number) {
    const scope = Scope.makeUnsafe()
    return Effect.map(
      Scope.provide(this.#log.claim(model.realm, seen, addressOf(port)), scope),
      Option.map((leadership) => ({ leadership, model, scope, last: undefined }))
    )
  }

  #begin(host: Host, port: number): void {
    const { leadership, model } = host
    if (leadership.epoch <= model.epoch) throw new Error(`epoch ${leadership.epoch} follows epoch ${model.epoch}`)
    same("the position of a claim", leadership.position, model.entries.length)
    model.epoch = leadership.epoch
    model.leader = Option.some(port)
    this.#hosts.push(host)
  }

  readonly #claim = Effect.fnUntraced(function*(this: Check, model: Model) {
    this.#note("claim", model)
    const port = this.#ports++
    const host = yield* this.#tryClaim(model, yield* this.#log.head(model.realm), port)
    if (Option.isNone(host)) throw new Error("a claim after the newest epoch was refused")
    this.#begin(host.value, port)
  })

  readonly #claimStale = Effect.fnUntraced(function*(this: Check, model: Model) {
    this.#note("claim as one that has seen an earlier epoch", model)
    const head = yield* this.#log.head(model.realm)
    const seen = this.#random.chance(0.5)
      ? Option.none()
      : Option.map(head, (head) => ({ ...head, epoch: head.epoch - 1 }))
    const host = yield* this.#tryClaim(model, seen, this.#ports++)
    if (Option.isSome(host)) throw new Error("a claim succeeded though an epoch had begun since it looked")
  })

  readonly #claimTogether = Effect.fnUntraced(function*(this: Check, model: Model) {
    this.#note("two claims at once", model)
    const head = yield* this.#log.head(model.realm)
    const ports = [this.#ports++, this.#ports++]
    const hosts = yield* Effect.all(ports.map((port) => this.#tryClaim(model, head, port)), { concurrency: 2 })
    same("the claims of two that succeeded", hosts.filter(Option.isSome).length, 1)
    for (const [i, host] of hosts.entries()) if (Option.isSome(host)) this.#begin(host.value, ports[i]!)
  })

  readonly #claimMeanwhile = Effect.fnUntraced(function*(this: Check, host: Host) {
    const { leadership, model } = host
    if (!this.#leads(host)) return
    this.#note("an append and a claim at once", model)
    const head = yield* this.#log.head(model.realm)
    const port = this.#ports++
    const entry = this.#entry(host)
    const [appended, claimed] = yield* Effect.all([
      Effect.result(leadership.append(entry.position - 1, entry.bytes)),
      this.#tryClaim(model, head, port)
    ], { concurrency: 2 })
    if (Result.isSuccess(appended)) model.entries.push(entry)
    else same("the error of an append that lost to a claim", appended.failure._tag, "Fenced")
    if (Option.isNone(claimed)) throw new Error("a claim was refused because of an append")
    this.#begin(claimed.value, port)
    yield* this.#read(model, model.compacted)
  })

  readonly #confirm = Effect.fnUntraced(function*(this: Check, host: Host) {
    this.#note("confirm", host.model)
    const confirmed = yield* Effect.result(host.leadership.confirm)
    same("what confirm says", tagOf(confirmed), this.#leads(host) ? "success" : "Fenced")
  })

  readonly #giveUp = Effect.fnUntraced(function*(this: Check, host: Host) {
    this.#note("give up", host.model)
    yield* Scope.close(host.scope, Exit.void)
    // One that was replaced gives up nothing.
    if (this.#leads(host)) host.model.leader = Option.none()
    this.#hosts = this.#hosts.filter((other) => other !== host)
    yield* this.#look(host.model)
  })

  readonly #look = Effect.fnUntraced(function*(this: Check, model: Model) {
    this.#note("head", model)
    const head = yield* this.#log.head(model.realm)
    if (model.epoch === 0) return same("the head of an unknown realm", Option.isNone(head), true)
    const { epoch, leader, position } = Option.getOrThrow(head)
    same("the epoch", epoch, model.epoch)
    same("the position", position, model.entries.length)
    same(
      "the leader",
      JSON.stringify(Option.getOrNull(leader)),
      JSON.stringify(Option.getOrNull(Option.map(model.leader, addressOf)))
    )
  })

  // -------------------------------------------------------------------------------------------------------------
  // entries
  // -------------------------------------------------------------------------------------------------------------

  #entry({ leadership, model }: Host, bytes = this.#bytes()): Entry {
    return { position: model.entries.length + 1, epoch: leadership.epoch, bytes }
  }

  /** Mostly a few bytes, among them none, sometimes many. */
  #bytes(): Uint8Array {
    const random = this.#random
    return Uint8Array.from({ length: random.chance(0.05) ? 5_000 : random.below(40) }, () => random.below(256))
  }

  readonly #append = Effect.fnUntraced(function*(this: Check, host: Host, bytes?: Uint8Array) {
    this.#note("append", host.model)
    const entry = this.#entry(host, bytes)
    const appended = yield* Effect.result(host.leadership.append(entry.position - 1, entry.bytes))
    same("an append", tagOf(appended), this.#leads(host) ? "success" : "Fenced")
    if (Result.isFailure(appended)) return
    host.model.entries.push(entry)
    host.last = entry
  })

  /** The leader did not hear that its append was made. */
  readonly #repeat = Effect.fnUntraced(function*(this: Check, host: Host) {
    const { leadership, model } = host
    if (!this.#leads(host) || host.last === undefined || host.last !== model.entries.at(-1)) return
    this.#note("repeat", model)
    yield* leadership.append(host.last.position - 1, host.last.bytes)
    yield* this.#look(model)
    if (host.last.position > model.compacted) yield* this.#read(model, host.last.position - 1)
  })

  /** The leader has confirmed more than the log has, or less: one of both has gone wrong. */
  readonly #appendElsewhere = Effect.fnUntraced(function*(this: Check, host: Host) {
    const { leadership, model } = host
    const length = model.entries.length
    const after = this.#random.pick([length - 2, length + 1, length + 1_000])
    if (!this.#leads(host) || after < 0) return
    this.#note("append after another position", model)
    const appended = yield* Effect.result(leadership.append(after, this.#bytes()))
    same(`an append after position ${after} of ${length}`, tagOf(appended), "LogDamaged")
    yield* this.#look(model)
  })

  readonly #refuseLarge = Effect.fnUntraced(function*(this: Check, { leadership, model }: Host) {
    this.#note("append more than fits", model)
    const bytes = new Uint8Array(this.#log.entryBytesMax + 1)
    const appended = yield* Effect.exit(leadership.append(model.entries.length, bytes))
    same("an entry of more than entryBytesMax is a defect", Exit.hasDies(appended), true)
  })

  readonly #read = Effect.fnUntraced(function*(this: Check, model: Model, after: number) {
    this.#note(`read after ${after}`, model)
    const read = yield* Effect.result(Stream.runCollect(this.#log.read(model.realm, after)))
    const expected = after < model.compacted ? "Compacted" : after > model.entries.length ? "LogDamaged" : "success"
    same(`reading after position ${after}`, tagOf(read), expected)
    if (Result.isFailure(read)) return
    same("the entries", read.success.map(describe).join(), model.entries.slice(after).map(describe).join())
  })

  /** Follows a realm to its last entry. After a snapshot that it has missed it goes on from there. */
  #follow(model: Model) {
    const seen = new Map<number, Entry>()
    const from = (after: number): Effect.Effect<void, unknown> =>
      this.#log.read(model.realm, after, { follow: true }).pipe(
        Stream.takeUntil(({ bytes }) => bytes.length === end.length && bytes.every((byte, i) => byte === end[i])),
        Stream.runForEach((entry) => Effect.sync(() => seen.set(entry.position, entry))),
        Effect.catchTag("Compacted", ({ snapshot }) => from(snapshot))
      )
    return Effect.as(from(0), seen)
  }

  // -------------------------------------------------------------------------------------------------------------
  // snapshots
  // -------------------------------------------------------------------------------------------------------------

  readonly #snapshot = Effect.fnUntraced(function*(this: Check, model: Model) {
    this.#note("snapshot", model)
    const found = yield* this.#log.snapshot(model.realm)
    if (Option.isNone(found)) return same("the snapshot", undefined, model.snapshot)
    const { bytes, ...snapshot } = found.value
    const whole = Array.from(yield* Stream.mkUint8Array(bytes))
    same("the snapshot", JSON.stringify({ ...snapshot, bytes: whole }), JSON.stringify(model.snapshot))
  })

  #drawSnapshot(model: Model) {
    const random = this.#random
    const position = random.below(model.entries.length + 1)
    const epoch = model.entries[position - 1]?.epoch ?? model.epoch
    const chunks = Array.from({ length: 1 + random.below(4) }, () => this.#bytes())
    return { position, epoch, engineVersion: random.below(versions), chunks }
  }

  readonly #putSnapshot = Effect.fnUntraced(function*(this: Check, model: Model) {
    const { chunks, ...snapshot } = this.#drawSnapshot(model)
    this.#note(`put a snapshot at ${snapshot.position}`, model)
    yield* this.#log.putSnapshot(model.realm, { ...snapshot, bytes: Stream.fromIterable(chunks) })
    if (snapshot.position > model.compacted) {
      model.snapshot = { ...snapshot, bytes: chunks.flatMap((chunk) => [...chunk]) }
    }
    yield* this.#snapshot(model)
    yield* this.#read(model, model.compacted)
  })

  /** The bytes of the snapshot end in the middle. */
  readonly #breakSnapshot = Effect.fnUntraced(function*(this: Check, model: Model) {
    const { chunks, ...snapshot } = this.#drawSnapshot(model)
    this.#note(`put a part of a snapshot at ${snapshot.position}`, model)
    const unavailable = Effect.fail(new LogUnavailable({ realm: model.realm, issue: "the bytes end here" }))
    const bytes = Stream.concat(Stream.fromIterable(chunks), Stream.fromEffect(unavailable))
    const put = yield* Effect.result(this.#log.putSnapshot(model.realm, { ...snapshot, bytes }))
    same("a snapshot whose bytes fail", tagOf(put), "LogUnavailable")
    yield* this.#snapshot(model)
    yield* this.#read(model, model.compacted)
  })
}

/** The last entry of a run. */
const end = new TextEncoder().encode("the last entry of the check of a log")

const tagOf = (result: Result.Result<unknown, { readonly _tag: string }>): string =>
  Result.isSuccess(result) ? "success" : result.failure._tag

const describe = (entry: Entry | undefined): string =>
  entry === undefined ? "no entry" : `${entry.position} of epoch ${entry.epoch}: ${[...entry.bytes].join(" ")}`

const same = (what: string, found: unknown, expected: unknown): void => {
  if (found !== expected) throw new Error(`${what}: ${shorten(found)} instead of ${shorten(expected)}`)
}

const shorten = (value: unknown): string => String(value).slice(0, 200)
