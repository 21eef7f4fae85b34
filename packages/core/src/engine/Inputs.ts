/**
 * The inputs of an engine, its outputs, and the entries of its journal: the vocabulary that the protocol carries.
 */
import type { Access, Client, GrantId, Reply } from "./Operation.ts"
import type { Argument, ObjectId } from "./Value.ts"

/** A client of the manager, until it leaves, or until it has been without a link for longer than its grace (S-6). */
export type SessionId = number

/** How a session survives the loss of its link. */
export interface Grace {
  /** How long the session goes on without a link. */
  readonly milliseconds: number
  /** The hash of the secret with which its client resumes it. */
  readonly secretHash: string
}

/** What a key makes of the client that proves it. */
export type Role = "owner" | "client" | "observer"

/** What a session may do whose client is not an owner (`Permission.ts`). */
export interface Rights {
  readonly role: Exclude<Role, "owner">
  /** The prefixes of the names of the objects that it may use. Absent: all objects. */
  readonly names?: ReadonlyArray<string> | undefined
}

/** How a call ended. */
export type Outcome =
  | { readonly _tag: "Success"; readonly reply: Reply }
  | { readonly _tag: "Failure"; readonly error: string; readonly details: Reply }

/** An event that an engine applies. Labels, hashes of secrets, rights and time come from outside (S-1). */
export type Input =
  /**
   * A session begins. It gets the id after that of the session before it. Without a grace it ends with its link; without
   * rights it is that of an owner.
   */
  | {
    readonly _tag: "Open"
    readonly label: Client
    readonly grace?: Grace | undefined
    readonly rights?: Rights | undefined
  }
  /** The link of a session is lost. The session ends, or has its grace from now on. */
  | { readonly _tag: "Unlinked"; readonly session: SessionId }
  /** A session has a new link, in the place of a lost one or of one that its client has given up. */
  | { readonly _tag: "Linked"; readonly session: SessionId }
  | RequestInput
  | { readonly _tag: "Cancel"; readonly session: SessionId; readonly sequence: number }
  | { readonly _tag: "Acknowledge"; readonly session: SessionId; readonly from: number; readonly to: number }
  | { readonly _tag: "Drop"; readonly session: SessionId; readonly object: ObjectId; readonly times: number }
  /**
   * How often a client has the handle of each object whose id is within a range, without the handles in replies that it
   * has not acknowledged; of objects that are not named, not at all.
   */
  | {
    readonly _tag: "Imports"
    readonly session: SessionId
    readonly from: ObjectId
    readonly to: ObjectId
    readonly times: ReadonlyArray<readonly [object: ObjectId, times: number]>
  }
  /** The holds that a client has. It is told which of them are not current. */
  | { readonly _tag: "Holds"; readonly session: SessionId; readonly grants: ReadonlyArray<GrantId> }
  | {
    readonly _tag: "Watch"
    readonly session: SessionId
    readonly sequence: number
    readonly object: ObjectId
    readonly credit: number
  }
  | { readonly _tag: "Credit"; readonly session: SessionId; readonly sequence: number; readonly credit: number }
  | { readonly _tag: "Unwatch"; readonly session: SessionId; readonly sequence: number }
  /** Whether the client is too far behind with reading: it is told of no changes until it is not (S-12). */
  | { readonly _tag: "Congestion"; readonly session: SessionId; readonly isCongested: boolean }
  | { readonly _tag: "End"; readonly session: SessionId }
  | { readonly _tag: "Time"; readonly now: number }

/**
 * A request of one session: one call, or several calls that take effect together: they change distinct objects, and read
 * an object only before they change it. All of them are decided, then all are applied under consecutive indexes, and one
 * reply carries all results. If one is refused, none has an effect; if one must wait, all wait, and none holds anything
 * meanwhile.
 */
export interface RequestInput {
  readonly _tag: "Request"
  readonly session: SessionId
  readonly sequence: number
  readonly guard: ReadonlyArray<GrantId>
  /**
   * How many of the innermost holds of the guard this request *stalls*: they end no earlier than it, because the fiber
   * that would end them waits for it.
   */
  readonly stalls: number
  readonly calls: ReadonlyArray<CallInput>
}

/** One call: an operation of one object. */
export interface CallInput {
  readonly object: ObjectId
  /** Position of the operation in its kind, as told at the handshake. */
  readonly operation: number
  readonly args: ReadonlyArray<Argument>
}

/** A message for a client, which the host sends. */
export type Output =
  | {
    readonly _tag: "Reply"
    readonly session: SessionId
    readonly sequence: number
    readonly index: number
    readonly outcome: Outcome
  }
  /** The request is parked: it no longer counts as in flight (S-8). */
  | { readonly _tag: "Parked"; readonly session: SessionId; readonly sequence: number }
  | { readonly _tag: "Cancelled"; readonly session: SessionId; readonly sequence: number; readonly fate: CancelFate }
  | {
    readonly _tag: "Event"
    readonly session: SessionId
    readonly sequence: number
    readonly index: number
    readonly event: WatchEvent
    readonly parts: Reply
  }
  /** The host is to end this session: somebody has asked for it. Its client may be frozen. */
  | { readonly _tag: "Ended"; readonly session: SessionId; readonly reason: string }
  /** The host is to end the manager: the owner of this session has asked for it. */
  | { readonly _tag: "Shutdown"; readonly session: SessionId }
  /** A hold of this session was revoked. */
  | { readonly _tag: "Revoked"; readonly session: SessionId; readonly grant: GrantId }

/** How a cancelled call ended (S-10). */
export type CancelFate = "withdrawn" | "compensated" | "stands"

/** The events of a subscription (S-29). */
export type WatchEvent = "change" | "reset" | "ended"

/** One entry of the journal: an index, and its cause. There are no gaps (S-31). */
export interface JournalEntry {
  readonly index: number
  /** Engine time in milliseconds. */
  readonly now: number
  readonly cause: "request" | "entered" | "withdrawn" | "revoked" | "ended"
  readonly session: SessionId
  readonly sequence: number
  /** Position of the call in its request. */
  readonly call: number
  readonly object: ObjectId
  readonly kind: string
  readonly operation: string
  readonly args: ReadonlyArray<Argument>
  readonly reply: Reply
}

/** Position → name, per kind: told to clients at the handshake, so both sides need not agree on numbers. */
export type OperationTable = Record<
  string,
  ReadonlyArray<readonly [name: string, access: Access]>
>
