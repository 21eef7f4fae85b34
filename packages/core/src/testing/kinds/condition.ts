/** A lock, and those who have given it up to wait for a notification. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { condition as kind } from "../../engine/kinds/condition.ts"
import type { Withdrawal } from "../../engine/Operation.ts"
import * as SharedCondition from "../../SharedCondition.ts"
import { LockModel } from "./lock.ts"
import { type Answer, type Call, holds, isFinal, type Model, notHeld, type Reply } from "./Model.ts"
import { remoteOf, specimen } from "./Specimen.ts"

/** Somebody who waits. */
interface Waiter {
  readonly session: number
  /** The index at which it began. */
  readonly since: number
  /** The index of the notification that it has had. */
  readonly notified: number | undefined
}

class ConditionModel implements Model {
  readonly unguarded = new Set(["acquire", "tryAcquire", "release", "wait", "decline"])
  readonly #lock: LockModel
  /** In the order in which they began. */
  #waiters: ReadonlyArray<Waiter>
  /** The notification that brought the holder the lock. */
  #wokenBy: number | undefined

  constructor(lock = new LockModel(), waiters: ReadonlyArray<Waiter> = [], wokenBy?: number) {
    this.#lock = lock
    this.#waiters = waiters
    this.#wokenBy = wokenBy
  }

  get grants() {
    return this.#lock.grants
  }

  look(call: Call): Answer | undefined {
    const { args, operation, session } = call
    switch (operation) {
      case "wait":
        return call.since !== undefined || holds(this, session, args[0]) ? undefined : notHeld
      case "decline":
        if (!holds(this, session, args[0])) return notHeld
        return this.#wokenBy === undefined ? { reply: [] } : undefined
      case "notify":
        if (!holds(this, session, args[0])) return notHeld
        return args[1] === 0 || this.#asleep.length === 0 ? { reply: [0] } : undefined
    }
    return this.#lock.look(call)
  }

  change(call: Call): Reply | undefined {
    if (isFinal(this.look(call))) return undefined
    const { args, index, operation, since } = call
    switch (operation) {
      case "wait": {
        const notified = this.#waiters.find((waiter) => waiter.since === since)?.notified
        if (notified === undefined) return undefined
        const reply = this.#lock.change({ ...call, operation: "acquire" })
        if (reply === undefined) return undefined
        this.#remove(since)
        this.#wokenBy = notified
        return reply
      }
      case "notify": {
        const chosen = this.#asleep.slice(0, Number(args[1]))
        for (const waiter of chosen) this.#notify(waiter, index)
        return [chosen.length]
      }
      case "decline":
        this.#decline()
        return []
    }
    const reply = this.#lock.change(call)
    if (reply !== undefined) this.#wokenBy = undefined
    return reply
  }

  enter(call: Call): void {
    this.#lock.change({ ...call, operation: "release" })
    this.#wokenBy = undefined
    this.#waiters = [...this.#waiters, { session: call.session, since: call.index, notified: undefined }]
  }

  withdraw({ session, since }: Call, reason: Withdrawal): void {
    const notified = this.#waiters.find((waiter) => waiter.since === since)?.notified
    this.#remove(since)
    this.#passOn(notified, reason === "session ended" ? session : undefined)
  }

  revoke(grant: number, reason: Withdrawal): void {
    this.#lock.revoke(grant, reason)
    this.#decline()
  }

  isPristine(): boolean {
    return this.#lock.isPristine() && this.#waiters.length === 0
  }

  state(): unknown {
    return [this.#lock.state(), this.#waiters, this.#wokenBy]
  }

  copy(): ConditionModel {
    return new ConditionModel(this.#lock.copy(), this.#waiters, this.#wokenBy)
  }

  get #asleep(): ReadonlyArray<Waiter> {
    return this.#waiters.filter(({ notified }) => notified === undefined)
  }

  #decline(): void {
    const wokenBy = this.#wokenBy
    this.#wokenBy = undefined
    this.#passOn(wokenBy)
  }

  #remove(since: number | undefined): void {
    this.#waiters = this.#waiters.filter((waiter) => waiter.since !== since)
  }

  #notify(chosen: Waiter, notified: number): void {
    this.#waiters = this.#waiters.map((waiter) => waiter === chosen ? { ...waiter, notified } : waiter)
  }

  /** To the living one who has waited longest, if it waited already when the notification was made. */
  #passOn(notification: number | undefined, dead?: number): void {
    const longest = this.#asleep.find(({ session }) => session !== dead)
    if (notification !== undefined && longest !== undefined && longest.since < notification) {
      this.#notify(longest, notification)
    }
  }
}

/** The specimen of `Condition`. */
export const condition = specimen({
  kind,
  model: () => new ConditionModel(),
  samples: { bell: (name) => SharedCondition.make({ name, holdFor: "4 minutes" }) },
  actions: {
    /** Waits for whatever comes, perhaps more than once. */
    listen: ({ bell }, { impatiently, random }) =>
      impatiently(bell.withLock(Effect.repeat(impatiently(bell.wait), { times: random.below(5) }))),
    /** Leaves a notification to the next, as a fiber does that is interrupted just when the lock comes back. */
    decline: ({ bell }) =>
      bell.withLock(
        Effect.flatMap(bell.wait, ({ token }) => remoteOf(bell, kind).call("decline", [token], () => Exit.void))
      ),
    /** Notifies some, keeps the lock while they may go, and notifies another one. */
    ring: ({ bell }, { random, soon }) =>
      bell.withLock(
        Effect.forEach([1, random.below(3), 1], (most) => Effect.andThen(bell.notify(most), Effect.sleep(soon())))
      ),
    ringIfAvailable: ({ bell }) => bell.withLockIfAvailable(bell.notifyAll),
    /** Until the lock is lost. */
    keep: ({ bell }, { overstay, random }) =>
      random.pick<Effect.Effect<unknown, unknown>>([
        bell.withLock(overstay()),
        bell.withLockIfAvailable(overstay()),
        bell.withLock(Effect.andThen(bell.wait, overstay()))
      ]),
    isHeld: ({ bell }) => bell.isHeld,
    waitWithoutLock: ({ bell }) => Effect.flip(bell.wait)
  },
  help: ({ bell }) => [bell.withLock(bell.notifyAll)]
})
