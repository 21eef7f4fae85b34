/** Known bugs between a manager and its log (S-3): the simulation must find each. */
import { Reader, Writer } from "#core/protocol/Bytes.ts"
import type { Log } from "@effect-multiprocessing/core"
import { hostFaultNames } from "@effect-multiprocessing/core/testing"
import { Effect, Option, Schema, Semaphore, Stream } from "effect"
import type { Mutant } from "./mutation.ts"

type Service = Log.Log["Service"]

/** Changes the log of the managers. */
const inLog = (change: (log: Service) => Partial<Service>): Pick<Mutant, "hosts" | "options"> => ({
  hosts: hostFaultNames,
  options: { onLog: (log) => ({ ...log, ...change(log) }) }
})

/** Changes each leadership. */
const inLeadership = (change: (leadership: Log.Leadership) => Partial<Log.Leadership>) =>
  inLog((log) => ({
    claim: (realm, seen, leader) =>
      Effect.map(
        log.claim(realm, seen, leader),
        Option.map((leadership) => ({ ...leadership, ...change(leadership) }))
      )
  }))

/** What is saved of the sessions of a manager. */
const Saved = Schema.fromJsonString(
  Schema.StructWithRest(
    Schema.Struct({ sessions: Schema.Array(Schema.Record(Schema.String, Schema.Unknown)) }),
    [Schema.Record(Schema.String, Schema.Unknown)]
  )
)

/** Changes the sessions in a snapshot. */
const inSnapshot = (change: (session: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>) =>
  inLog((log) => ({
    putSnapshot: Effect.fnUntraced(function*(realm, snapshot) {
      const reader = new Reader(yield* Stream.mkUint8Array(snapshot.bytes))
      const writer = new Writer()
      writer.bytes(reader.bytes())
      const saved = Schema.decodeSync(Saved)(reader.text())
      writer.text(Schema.encodeSync(Saved)({ ...saved, sessions: saved.sessions.map(change) }))
      yield* log.putSnapshot(realm, { ...snapshot, bytes: Stream.make(writer.take()) })
    })
  }))

/** Every known bug by its name. */
export const logMutants: Readonly<Record<string, Mutant>> = {
  "released-before-append": {
    bug: "a manager tells its clients what its log does not have yet",
    ...inLeadership(({ append }) => {
      const one = Semaphore.makeUnsafe(1)
      return {
        append: (after, bytes) => {
          const made = Effect.retry(append(after, bytes), { while: ({ _tag }) => _tag === "LogUnavailable" })
          return Effect.asVoid(Effect.forkDetach(one.withPermit(made)))
        }
      }
    })
  },
  "append-given-up": {
    bug: "a manager does not repeat an append whose outcome it does not know",
    ...inLeadership(({ append }) => ({
      append: (after, bytes) => Effect.catchTag(append(after, bytes), "LogUnavailable", () => Effect.void)
    }))
  },
  "snapshot-without-replies": {
    bug: "a manager that begins with a snapshot carries out again what is sent again (S-7)",
    seed: 10,
    ...inSnapshot((session) => ({ ...session, answered: [], lastSequence: 0 })),
    hosts: ["kill", "compact", "compact", "compact"]
  }
}
