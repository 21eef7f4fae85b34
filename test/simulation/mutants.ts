/**
 * Known bugs that are of one kind, of the engine or of a connection: the simulation must find each. What a bug
 * re-introduces is named by its number in the bug zoo of the coordination systems that had it, or by the rule (S-n) or
 * invariant (I-n) it breaks. Bugs that any kind may have are in `genericMutants.ts`.
 */
import type { Connection } from "#core/client/Connection.ts"
import * as GrantRecords from "#core/engine/GrantRecords.ts"
import type { CallInput } from "#core/engine/Inputs.ts"
import type { AnyKind } from "#core/engine/Kind.ts"
import { kinds } from "#core/engine/kinds/index.ts"
import { answer, type At, ready, wait } from "#core/engine/Operation.ts"
import { directory } from "#core/engine/Value.ts"
import { Effect } from "effect"
import { linkMutants } from "./linkMutants.ts"
import { logMutants } from "./logMutants.ts"
import {
  type AnyOperation,
  changed,
  ending,
  inConnection,
  inKind,
  inOperation,
  inStep,
  type Mutant
} from "./mutation.ts"

/** A compare-and-set that does not compare. */
const uncompared = ({ decide }: AnyOperation): Partial<AnyOperation> => ({
  decide: (state, args, at) => {
    const decision = decide(state, args, at)
    return decision._tag === "Answer" && state.reservation === undefined ? ready : decision
  }
})

/** Takes an item out of a queue's deliveries. */
const takeOut: NonNullable<AnyKind["revoke"]> = (state, { id }) => {
  const { item, leased } = state.out.get(id)
  state.out.delete(id)
  if (leased === true) state.leased--
  return item
}

/** Every known bug by its name. */
export const mutants: Readonly<Record<string, Mutant>> = {
  ...linkMutants,
  ...logMutants,
  "put-back-at-tail": {
    bug: "an item whose taker was cancelled goes to the end of the queue (S-17)",
    ...inKind("Queue", ({ revoke }) => ({
      revoke: (state, grant, reason, at) => {
        if (reason !== "cancelled") return revoke?.(state, grant, reason, at)
        state.items.push({ ...(takeOut(state, grant, reason, at) as unknown as object), place: state.accepted })
      }
    }))
  },
  "item-lost-on-session-end": {
    bug: "what a dead worker had been given does not come back (12)",
    ...inKind("Queue", ({ revoke }) => ({
      revoke: (state, grant, reason, at) => {
        if (reason !== "session ended") return revoke?.(state, grant, reason, at)
        at.release(state.out.get(grant.id).item.value)
        takeOut(state, grant, reason, at)
        state.settled++
      }
    }))
  },
  "attempt-not-counted": {
    bug: "an item may kill one worker after the other (S-19)",
    ...inKind("Queue", ({ revoke }) => ({
      revoke: (state, grant, _, at) => revoke?.(state, grant, "cancelled", at)
    }))
  },
  "attempts-not-loaded": {
    bug: "a manager that is loaded has forgotten which deliveries failed (S-19)",
    ...inKind("Queue", ({ format }) => ({
      format: {
        ...format,
        load: (saved) => {
          const state = format.load(saved)
          for (const { item } of state.dead.values()) item.attempts = 0
          for (const item of state.items) item.attempts = 0
          return state
        }
      }
    }))
  },
  "delivered-twice": {
    bug: "two consumers are given one item (15)",
    ...inOperation("Queue", "take", ({ apply }) => ({
      apply: (state, args, at) => {
        const item = state.items[state.head]
        const reply = apply(state, args, at)
        if (at.index % 4 === 0) state.items.splice(state.head, 0, { ...item, place: item.place + 0.5 })
        return reply
      }
    }))
  },
  "capacity-ignored": {
    bug: "an offer never waits (S-17)",
    ...inOperation("Queue", "offer", ({ decide }) => ({
      decide: (state, args, at) => decide({ ...state, capacity: Infinity, head: state.head }, args, at)
    }))
  },
  "wakes-only-one": {
    bug: "when a queue is closed, one of those who wait for an item hears of it (9)",
    ...inOperation("Queue", "take", ({ decide }) => ({
      decide: (state, args, at) => {
        const decision = decide(state, args, at)
        if (decision._tag !== "Refuse") return decision
        const isFirst = state.told === undefined || state.told === at.index
        state.told = at.index
        return isFirst ? decision : wait
      }
    }))
  },
  "reference-leaked": {
    bug: "an item that is gone still counts as holding its handles (29)",
    ...inKind("Queue", ({ received }) => ({
      received: (state, grant, at) => received?.(state, grant, changed(at, { release: () => {} }))
    }))
  },
  "handle-freed": {
    bug: "an object is freed while a queued item still bears its handle (29)",
    ...inOperation("Queue", "offer", ({ apply }) => ({
      apply: (state, args, at) => apply(state, args, changed(at, { retain: () => {} }))
    }))
  },
  "lock-kept-on-session-end": {
    bug: "a lock stays locked when its holder dies (S-11)",
    ...inKind("Lock", ({ check, revoke }) => ({
      check: (state, grants) => state.dead === true ? [] : check(state, grants),
      revoke: (state, grant, reason, at) => {
        if (reason === "session ended") state.dead = true
        else revoke?.(state, grant, reason, at)
      }
    }))
  },
  "abandonment-not-told": {
    bug: "the next holder does not hear that the last one died (R-1)",
    ...inKind("Lock", ({ revoke }) => ({
      revoke: (state, grant, _, at) => revoke?.(state, grant, "cancelled", at)
    }))
  },
  "lost-wake": {
    bug: "a release comes to nobody, and all wait on (8)",
    ...inKind("Lock", ({ operations }) => ({
      operations: {
        ...operations,
        acquire: {
          ...operations["acquire"],
          decide: (state: { released?: number }, args: never, at: At) =>
            state.released === at.index ? wait : operations["acquire"].decide(state, args, at)
        },
        release: {
          ...operations["release"],
          apply: (state: { released?: number }, args: never, at: At) => {
            if (at.index % 2 === 0) state.released = at.index
            return operations["release"].apply(state, args, at)
          }
        }
      }
    }))
  },
  "token-reused": {
    bug: "two holds of a lock have the same token (I5)",
    ...inOperation("Lock", "acquire", ({ apply }) => ({
      apply: (state, args, at) => {
        const [token, abandoned] = apply(state, args, at)
        state.first ??= token
        return [state.first, abandoned ?? 0]
      }
    }))
  },
  "permits-kept-on-revocation": {
    bug: "the permits of the dead and of the cancelled are counted as held for ever (S-10, S-11)",
    ...inKind("Semaphore", ({ check }) => ({
      check: (state, grants) => state.kept === true ? [] : check(state, grants),
      revoke: (state, grant) => {
        state.kept = true
        state.holds.delete(grant.id)
      }
    }))
  },
  "permits-not-counted": {
    bug: "who comes when nobody waits is given permits that others have (I2)",
    ...inKind("Semaphore", ({ operations }) => ({
      check: () => [],
      operations: {
        ...operations,
        tryAcquire: {
          ...operations["tryAcquire"],
          decide: (state: object, args: never, at: At) =>
            at.index % 3 === 0
              ? operations["tryAcquire"].decide({ ...state, free: 3 }, args, at)
              : operations["tryAcquire"].decide(state, args, at)
        }
      }
    }))
  },
  "permits-given-back-twice": {
    bug: "a release that comes twice counts twice (I2)",
    ...inOperation("Semaphore", "release", ({ apply }) => ({
      apply: (state, args, at) => {
        const reply = apply(state, args, at)
        if (at.index % 5 === 0) state.free++
        return reply
      }
    }))
  },
  "notification-dies-with-its-receiver": {
    bug: "whom a notification woke is gone before it is done, and nobody else hears of it (S-15)",
    seed: 19,
    ...inKind("Condition", ({ operations, revoke }) => ({
      revoke: (state, grant, reason, at) => {
        state.wokenBy = undefined
        revoke?.(state, grant, reason, at)
      },
      operations: {
        ...operations,
        wait: {
          ...operations["wait"],
          withdraw: (
            state: { readonly asleep: Set<number>; readonly notified: Map<number, number> },
            _: never,
            __: never,
            { since }: At
          ) => {
            state.asleep.delete(since!)
            state.notified.delete(since!)
          }
        }
      }
    }))
  },
  "woken-for-nothing": {
    bug: "a wait ends that nobody has notified (S-15)",
    ...inOperation("Condition", "wait", ({ enter }) => ({
      enter: (state, args, at) => {
        enter?.(state, args, at)
        if (at.index % 3 === 0) state.asleep.delete(at.index)
      }
    }))
  },
  "all-woken-for-one": {
    bug: "a notification for one wakes all (S-15)",
    ...inOperation("Condition", "notify", ({ apply }) => ({
      apply: (state, [token], at) => apply(state, [token!, Number.MAX_SAFE_INTEGER], at)
    }))
  },
  "stale-guard-accepted": {
    bug: "who has lost the lock may still write (1)",
    ...inOperation("Ref", "set", () => ({ guarded: false }))
  },
  "stale-read": {
    bug: "a read answers what was there before the last write (I1)",
    ...inOperation("Ref", "get", ({ apply }) => ({
      apply: (state, args, at) => {
        const reply = apply(state, args, at)
        const before = state.before
        state.before = reply
        return before !== undefined && before[1] !== reply[1] ? before : reply
      }
    }))
  },
  "version-ignored": {
    bug: "a compare-and-set does not compare: an update is lost (30)",
    ...inOperation("Ref", "compareAndSet", uncompared)
  },
  "overwritten-if-absent": {
    bug: "two that set an entry if it is absent both do (21)",
    ...inOperation("Map", "setIfAbsent", () => ({ decide: () => ready }))
  },
  "item-not-compared": {
    bug: "a compare-and-set replaces whatever item has moved to its position (30)",
    seed: 13,
    ...inOperation("List", "compareAndSet", uncompared)
  },
  "scan-of-the-present": {
    bug: "the pages of a scan are of the instant at which each is read (S-29)",
    ...inOperation("List", "page", ({ apply }) => ({
      apply: (state, args, at) => apply({ scans: new Map([[args[0], state.items]]) }, args, at)
    }))
  },
  "scan-kept-on-session-end": {
    actions: ["List.scan", "Map.scan", "List.appendAll", "Map.setAll"],
    bug: "what a dead reader has scanned is kept, and every object in it (S-11)",
    options: {
      kinds: kinds.map((kind) =>
        kind.operations.scan === undefined ? kind : {
          ...kind,
          revoke: (state, grant, reason, at) => {
            if (reason !== "session ended" || grant.id === state.reservation) kind.revoke?.(state, grant, reason, at)
          }
        }
      )
    }
  },
  "scan-not-counted": {
    bug: "an object is freed while a page that is still to come bears its handle (29)",
    ...inOperation("List", "scan", ({ apply }) => ({
      apply: (state, args, at) => apply(state, args, changed(at, { retain: () => {} }))
    }))
  },
  "batch-torn": {
    bug: "a batch is added in two steps: a watcher sees the half of it (S-29)",
    ...inOperation("List", "splice", ({ apply }) => ({
      apply: (state, args, at) =>
        apply(
          state,
          args,
          changed(at, {
            changed: ([what = null, start = 0, removed = 0, ...values]) => {
              if (values.length < 2) return at.changed([what, start, removed, ...values])
              at.changed([what, start, removed, values[0]!])
              at.changed([what, Number(start) + 1, 0, ...values.slice(1)])
            }
          })
        )
    }))
  },
  "sum-cut": {
    bug: "a sum that its type cannot hold is cut to what it can (S-25)",
    ...inOperation("Array", "add", () => ({ decide: () => ready }))
  },
  "element-not-compared": {
    bug: "an element is replaced though somebody has added to it meanwhile (30)",
    ...inOperation("Array", "compareAndSet", uncompared)
  },
  "removed-first": {
    bug: "the entry that was inserted first is taken for the last one (F-8.7.1)",
    ...inOperation("Map", "removeLast", ({ apply }) => ({
      apply: (state, args, at) => {
        const [first] = state.entries.values()
        const last = state.last
        if (first === last) return apply(state, args, at)
        state.last = { ...first, previous: undefined, next: undefined }
        const reply = apply(state, args, at)
        state.last = last
        if (first.next !== undefined) first.next.previous = undefined
        return reply
      }
    }))
  },
  "told-in-parts": {
    bug: "a watcher sees a part of what was set in one step (S-29)",
    ...inOperation("Map", "setAll", ({ apply }) => ({
      apply: (state, args, at) => {
        const reply = apply(state, args, changed(at, { changed: () => {} }))
        for (let i = 0; i < args.length; i += 2) at.changed(args.slice(i, i + 2))
        return reply
      }
    }))
  },
  "cleared-unseen": {
    bug: "a watcher is not told that everything was removed (S-29)",
    ...inOperation("Map", "clear", ({ apply }) => ({
      apply: (state, args, at) => apply(state, args, changed(at, { changed: () => {} }))
    }))
  },
  "numbers-as-text": {
    bug: "who waits for a number hears of a smaller one that has a larger first digit (S-25)",
    seed: 9,
    ...inOperation("Map", "untilAtLeast", () => ({
      decide: (state, [word, minimum]) => {
        const text: string | undefined = state.entries.get(word)?.value.text
        return text !== undefined && text <= `${String(minimum)}` ? ready : wait
      }
    }))
  },
  "counted-from-one": {
    bug: "the first addition to a name that is not set counts twice (S-25)",
    ...inOperation("OpenNamespace", "add", ({ apply }) => ({
      apply: (state, [word, by], at) => apply(state, [word!, state.entries.has(word) ? by! : Number(by) * 2], at)
    }))
  },
  "name-kept": {
    bug: "a removed name is still there for who waits for it (S-29)",
    ...inOperation("OpenNamespace", "untilHas", ({ decide }) => ({
      decide: (state, args, at) => {
        const decision = decide(state, args, at)
        state.known ??= new Set()
        if (decision._tag === "Ready") state.known.add(args[0])
        return state.known.has(args[0]) ? ready : decision
      }
    }))
  },
  "batch-over-capacity": {
    bug: "items that are offered together do not look at the capacity (S-17)",
    ...inOperation("Queue", "offerAll", ({ apply }) => ({
      apply: (state, args, at) => {
        const { capacity } = state
        state.capacity = Infinity
        const reply = apply(state, args, at)
        state.capacity = capacity
        return reply
      }
    }))
  },
  "settled-too-early": {
    bug: "who waits until all work is done does not wait for what is being worked on (F-8.5.7)",
    ...inOperation("Queue", "untilSettled", () => ({
      decide: (state) => state.items.length === state.head ? ready : wait
    }))
  },
  "reservation-kept": {
    bug: "a reservation that was given back is still held (S-28)",
    actions: ["Ref.modify", "Ref.increment"],
    options: {
      kinds: kinds.map((kind) =>
        kind.operations.endReservation === undefined ? kind : {
          ...kind,
          operations: { ...kind.operations, endReservation: { ...kind.operations.endReservation, apply: () => [] } }
        }
      )
    }
  },
  "latch-woken-late": {
    bug: "who waits at a latch stays there though it was opened (I4)",
    ...inOperation("Latch", "await", ({ decide }) => ({
      decide: (state, args, at) => at.since === undefined ? decide(state, args, at) : wait
    }))
  },
  "release-stays": {
    bug: "a released latch lets through who comes later, too",
    ...inOperation("Latch", "release", ({ apply }) => ({
      apply: (state, args, at) => {
        state.isOpen = true
        return apply(state, args, at)
      }
    }))
  },
  "arrival-kept": {
    bug: "a party that is gone still counts, and lets the others pass without it (F-8.4.6)",
    ...inOperation("Barrier", "await", () => ({ withdraw: () => {} }))
  },
  "reset-forgets-waiters": {
    bug: "those who wait when a barrier is reset wait for ever (S-15)",
    seed: 6,
    ...inOperation("Barrier", "reset", () => ({
      apply: (state) => {
        state.arrived = 0
        state.isBroken = false
        return []
      }
    }))
  },
  "watch-gap": {
    bug: "a watcher misses a change and is not told so (S-29)",
    seed: 12,
    ...inOperation("Ref", "set", ({ apply }) => ({
      apply: (state, args, at) => apply(state, args, changed(at, at.index % 3 === 0 ? { changed: () => {} } : {}))
    }))
  },
  "lag-forgotten": {
    bug: "a watcher that fell behind goes on with the next change instead of a snapshot (S-29)",
    seed: 7,
    options: inStep((engine, step) => (input) => {
      if (input._tag === "Credit") {
        for (const object of engine.state.objects.values()) {
          for (const watcher of object.watchers.values()) watcher.lagged = false
        }
      }
      step(input)
    })
  },
  "grant-kept-on-cancel": {
    bug: "a grant that met its cancellation is not given back (5)",
    actions: ["Lock.lock", "Semaphore.permits", "Queue.offer", "Queue.take", "Queue.lease"],
    options: inStep((engine, step) => (input) => {
      const call = input._tag === "Cancel"
        ? engine.state.sessions.get(input.session)?.answered.get(input.sequence)
        : undefined
      if (input._tag !== "Cancel" || call === undefined || call.granted === 0) return step(input)
      engine.state.sessions.get(input.session)?.answered.delete(input.sequence)
      engine.state.outputs.push({ ...input, _tag: "Cancelled", fate: "stands" })
    })
  },
  "withdrawal-forgotten": {
    bug: "a cancelled call stays in its lane, and takes something for nobody (13)",
    options: inStep((engine, step) => (input) => {
      const session = input._tag === "Cancel" ? engine.state.sessions.get(input.session) : undefined
      if (input._tag !== "Cancel" || session?.parked.has(input.sequence) !== true) return step(input)
      engine.state.outputs.push({ ...input, _tag: "Cancelled", fate: "withdrawn" })
    })
  },
  "waiter-kept-on-session-end": {
    bug: "a dead client still waits in its lane, before the living (2, 6)",
    seed: 14,
    options: inStep((engine, step) => (input) => {
      ending(engine, input)?.parked.clear()
      step(input)
    })
  },
  "newcomer-first": {
    bug: "who comes last is served first (I4)",
    options: inStep((engine, step) => (input) => {
      step(input)
      for (const { lanes } of engine.state.objects.values()) {
        for (const lane of lanes.values()) {
          const { head, tail } = lane
          if (
            head === undefined || tail === undefined || head === tail || tail.parked.arrival !== engine.state.arrivals
          ) {
            continue
          }
          tail.previous!.next = undefined
          lane.tail = tail.previous
          Object.assign(tail, { previous: undefined, next: head })
          head.previous = tail
          lane.head = tail
        }
      }
    })
  },
  "executed-twice": {
    bug: "a request whose reply is on its way is executed again (24)",
    options: inStep((engine, step) => (input) => {
      step(input)
      const session = input._tag === "Request" ? engine.state.sessions.get(input.session) : undefined
      if (input._tag !== "Request" || session?.answered.get(input.sequence) === undefined) return
      if (input.sequence % 5 > 0 || input.calls[0]!.object === 0) return
      session.answered.delete(input.sequence)
      session.lastSequence = input.sequence - 1
      const before = engine.state.outputs.length
      step(input)
      engine.state.outputs.length = before
    })
  },
  "acknowledgement-ignored": {
    bug: "replies are remembered for ever, until no call is let in (S-8)",
    options: inStep((_, step) => (input) => {
      if (input._tag !== "Acknowledge") step(input)
    })
  },
  "index-skipped": {
    bug: "an index stands for no change (I1)",
    options: inStep((engine, step) => (input) => {
      step(input)
      if (input._tag === "Cancel") engine.state.index++
    })
  },
  "last-grant-forgotten": {
    bug: "the end of a session does not give back what it held last (S-11)",
    seed: 5,
    options: inStep((engine, step) => (input) => {
      const last = [...ending(engine, input)?.grants.values() ?? []].at(-1)
      if (last !== undefined) GrantRecords.settle(engine.state, last)
      step(input)
    })
  },
  "acknowledged-unread": {
    bug: "a reply is acknowledged when it is read, though its fiber may yet be interrupted before it has it (S-9)",
    actions: ["guarded.count"],
    options: inConnection((connection) => {
      connection.callOwned = (restore, target, operation, args, complete) =>
        restore(Effect.tap(connection.call(target, operation, args, complete), Effect.yieldNow))
    })
  },
  "loss-not-heard": {
    bug: "the holder of a lost lock is not told, and works on (3)",
    options: inStep((engine, step) => (input) => {
      step(input)
      engine.state.outputs = engine.state.outputs.filter((output) => output._tag !== "Revoked")
    })
  },
  "creation-not-told": {
    bug: "one that watches the directory misses every other object that is created (S-29)",
    actions: ["directory.watch", "directory.passingName"],
    options: inStep((engine, step) => (input) => {
      step(input)
      const { watchers } = engine.state.objects.get(directory)!
      engine.state.outputs = engine.state.outputs.filter((output) =>
        output._tag !== "Event" || !watchers.has(`${output.session}:${output.sequence}`) ||
        output.parts.length === 1 || Number(output.parts[0]) % 2 === 0
      )
    })
  },
  "object-not-listed": {
    bug: "a page of the directory lacks its second object",
    actions: ["directory.list", "Ref.get"],
    options: inStep((engine, step) => (input) => {
      step(input)
      const reply = engine.state.outputs.at(-1)
      if (input._tag !== "Request" || reply?._tag !== "Reply" || reply.outcome._tag === "Failure") return
      const [{ object, operation }] = input.calls as [CallInput]
      if (object !== directory || engine.state.objects.get(object)!.operations[operation]![0] !== "objects") return
      const rows = reply.outcome.reply.filter((_, i) => i !== 2)
      engine.state.outputs.splice(-1, 1, { ...reply, outcome: { _tag: "Success", reply: rows } })
    })
  },
  "close-forgotten": {
    bug: "a queue that is not empty is not closed, though its closer is told so (I1)",
    ...inOperation("Queue", "close", () => ({
      decide: (state) => state.items.length > state.head ? answer() : ready
    }))
  },
  "unchecked": {
    bug: "a transaction takes effect, though something that it has read has changed",
    actions: ["transactions.relieve"],
    options: inConnection((connection) => {
      const callJoint: Connection["callJoint"] = connection.callJoint.bind(connection)
      connection.callJoint = (calls, complete) =>
        callJoint(calls.map((call) => call.operation.name === "check" ? { ...call, args: [] } : call), complete)
    })
  }
}
