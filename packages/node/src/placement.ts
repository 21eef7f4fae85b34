/**
 * Which of several hosts is to lead which realm: a ring of hashes. It spreads realms evenly, and when a host is added or removed
 * only the realms move of which it is the first.
 */
import * as HashRing from "effect/HashRing"
import * as PrimaryKey from "effect/PrimaryKey"
import { createHash } from "node:crypto"

/**
 * Hosts in the order in which they are to lead a realm. It does not depend on the order in which they are given. Without one of
 * them, the order of the others is the same.
 */
export const rankHosts = (realm: string, hosts: Iterable<string>): ReadonlyArray<string> => {
  const ring = HashRing.addMany(HashRing.make<Host>(), Array.from(hosts, (name) => new Host(name)))
  const input = digest(realm)
  const ranked: Array<string> = []
  for (let next = HashRing.get(ring, input); next !== undefined; next = HashRing.get(ring, input)) {
    ranked.push(next.name)
    HashRing.remove(ring, next)
  }
  return ranked
}

/**
 * Whether a host is to lead a realm rather than another one of the hosts. It leaves a leader in its place that is none of them.
 */
export const outranking = (
  realm: string,
  host: string,
  hosts: Iterable<string>
): (leader: { readonly host: string }) => boolean => {
  const ranked = rankHosts(realm, hosts)
  const rank = ranked.indexOf(host)
  return (leader) => ranked.indexOf(leader.host) > rank
}

// internals

/** The hash of the ring maps short or similar names to close numbers. Those of digests are spread. */
const digest = (name: string): string => createHash("sha256").update(name).digest("hex")

class Host implements PrimaryKey.PrimaryKey {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  [PrimaryKey.symbol](): string {
    return digest(this.name)
  }
}
