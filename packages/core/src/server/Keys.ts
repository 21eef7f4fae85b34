/**
 * The keys of a manager: which there are, and the rights that each gives.
 */
import * as Redacted from "effect/Redacted"
import type { Rights, Role } from "../engine/Inputs.ts"
import { keyIssue, type ManagerKey } from "../protocol/Handshake.ts"

/**
 * The keys of a manager by their roles. The key that a client proves decides its role: an **owner** may do everything. A
 * **client** opens, reads and changes objects. An **observer** reads and watches objects that exist, and inspects the
 * manager. A role without a key has no clients, except that an owner has a random key.
 */
export interface Keys {
  readonly owner?: ManagerKey | undefined
  /** One key for all names, or several, each for the names with its prefixes. */
  readonly client?: ManagerKey | ReadonlyArray<ClientKey> | undefined
  readonly observer?: ManagerKey | undefined
}

/** A key of clients for some names. */
export interface ClientKey {
  readonly key: ManagerKey
  /**
   * The prefixes of the names of the objects that its clients open and may remove. They also use objects without a name
   * that clients with this key made, and objects whose handles are in values that they read.
   */
  readonly names: ReadonlyArray<string>
}

/** A key, and the rights of the sessions whose clients prove it. */
export interface Credential {
  readonly key: ManagerKey
  /** Absent: an owner's. */
  readonly rights: Rights | undefined
}

/** The credentials of a manager. */
export const credentialsOf = (owner: ManagerKey, { client, observer }: Keys = {}): ReadonlyArray<Credential> => {
  const clients = client === undefined ? [] : Redacted.isRedacted(client) ? [{ key: client, names: undefined }] : client
  return [
    { key: owner, rights: undefined },
    ...clients.map(({ key, names }) => ({ key, rights: { role: "client", names } as const })),
    ...observer === undefined ? [] : [{ key: observer, rights: { role: "observer" } as const }]
  ]
}

/** Rights that are at most those of a role. */
export const atMost = (rights: Rights | undefined, role: Role): Rights | undefined =>
  role === "owner" || role === "client" && rights !== undefined ? rights : { role, names: rights?.names }

const isTexts = (names: unknown): boolean => Array.isArray(names) && names.every((name) => typeof name === "string")

const roles = ["owner", "client", "observer"]

/** Why a manager cannot have these keys, as text for people, which shows no key; undefined: it can. */
export const issueOf = (owner: ManagerKey, keys: Keys = {}): string | undefined => {
  const unknown = Object.keys(keys).find((role) => !roles.includes(role))
  if (unknown !== undefined) return `keys.${unknown} is no role. The roles are ${roles.join(", ")}`
  const { client = [] } = keys
  // For a program without types: a key without names would be one for all names.
  const ofClients: ReadonlyArray<ClientKey> = Array.isArray(client) ? client : [{ key: client, names: [] }]
  const nameless = ofClients.findIndex(({ names }) => !isTexts(names))
  if (nameless >= 0) return `keys.client[${nameless}].names must be prefixes of names. To allow all names give [""]`
  const given = [owner, keys.owner ?? owner, ...ofClients.map(({ key }) => key), keys.observer ?? owner]
  const wrong = given.map(keyIssue).find((issue) => issue !== undefined)
  if (wrong !== undefined) return wrong
  if (keys.owner !== undefined && Redacted.value(keys.owner) !== Redacted.value(owner)) {
    return "it has two keys of the owner. Give `key` or `keys.owner`"
  }
  const texts = credentialsOf(owner, keys).map(({ key }) => Redacted.value(key))
  return new Set(texts).size === texts.length
    ? undefined
    : "two of its keys are the same. Each role needs a key of its own"
}
