/** Reservations, as they should behave: one updater at a time, first come first served (S-28). */
import * as Effect from "effect/Effect"
import type { Argument } from "../../engine/Value.ts"
import type { Actor } from "../Workload.ts"
import { type Answer, type Call, type Granted, notHeld, type Reply } from "./Model.ts"

/** The entry that a call is about. */
export interface Entry {
  /** Why it can be neither reserved nor replaced. */
  readonly absent?: Answer | undefined
  /** Why it cannot become what the call replaces it by. */
  readonly unfit?: Answer | undefined
  /** What a reply says of it. */
  readonly found: Reply
  readonly isExpected: boolean
}

/** The reservations of one object. */
export class ReservationModel {
  holder: number | undefined
  readonly grants: Map<number, Granted>

  constructor(holder?: number, grants?: ReadonlyMap<number, Granted>) {
    this.holder = holder
    this.grants = new Map(grants)
  }

  /** What the operations of an updater answer without a change. */
  look({ args, operation, session }: Call, entry: () => Entry): Answer | undefined {
    if (operation === "endReservation") return this.#isHeld(args[0], session) ? undefined : notHeld
    if (operation === "reserve") return entry().absent
    const yields = (reservation: Argument | undefined) =>
      this.holder !== undefined && !this.#isHeld(reservation, session)
    if (operation === "pass") return yields(args[0]) ? undefined : { reply: [] }
    if (operation !== "compareAndSet") return undefined
    const { absent, found, isExpected, unfit } = entry()
    return absent ?? unfit ?? (yields(args[3]) || !isExpected ? { reply: found } : undefined)
  }

  /** Carries an operation of an updater out that `look` does not answer; `undefined`: it is none, or has to wait. */
  change({ args, index, operation, session }: Call, entry: () => Entry, replace: () => void): Reply | undefined {
    switch (operation) {
      case "compareAndSet":
        replace()
        this.end(args[3])
        return []
      case "reserve":
        if (this.holder !== undefined) return undefined
        this.holder = index
        this.grants.set(index, { session, byReceipt: false })
        return [index, ...entry().found]
      case "endReservation":
        this.end(args[0])
        return []
    }
    return undefined
  }

  end(reservation: Argument | undefined): void {
    if (this.holder !== reservation || this.holder === undefined) return
    this.grants.delete(this.holder)
    this.holder = undefined
  }

  #isHeld(reservation: Argument | undefined, session: number): boolean {
    return this.holder === reservation && this.grants.get(Number(reservation))?.session === session
  }

  copy(): ReservationModel {
    return new ReservationModel(this.holder, this.grants)
  }
}

/** An updater that stops while it has the reservation, which so lasts until its deadline; or gives it back unused. */
export const holdReservation = <E>(
  { impatiently, random, work }: Actor,
  reserve: Effect.Effect<number, E>,
  end: (reservation: number) => Effect.Effect<void, E>
): Effect.Effect<unknown, E> => {
  const givenBack = Effect.flatMap(reserve, (reservation) => Effect.andThen(work(), end(reservation)))
  return impatiently(random.chance(1 / 2) ? reserve : givenBack)
}
