/** Which host is to lead which realm. */
import * as Placement from "#node/placement.ts"
import { assert, describe, it } from "vitest"

/** Short and similar names, which a weak hash would not spread. */
const hosts = ["a", "b", "db-1.example", "db-2.example"]
const realms = Array.from({ length: 100 }, (_, i) => `realm ${i}`)

describe("the order of the hosts of a realm", () => {
  it("has each host once, and depends on nothing but the names", () => {
    for (const realm of realms) {
      const ranked = Placement.rankHosts(realm, hosts)
      assert.deepStrictEqual([...ranked].sort(), [...hosts].sort())
      assert.deepStrictEqual(Placement.rankHosts(realm, [...hosts.toReversed(), ...hosts]), ranked)
    }
    assert.deepStrictEqual(Placement.rankHosts("realm", []), [])
  })

  it("stays the same for the others when a host is added or removed", () => {
    for (const realm of realms) {
      const ranked = Placement.rankHosts(realm, hosts)
      for (const gone of hosts) {
        const left = Placement.rankHosts(realm, hosts.filter((host) => host !== gone))
        assert.deepStrictEqual(left, ranked.filter((host) => host !== gone))
      }
    }
  })

  it("gives every host its share of realms to lead, also of those of a host that is gone", () => {
    const count = (ofHost: (ranked: ReadonlyArray<string>) => string | undefined) => {
      const counts = new Map(hosts.map((host) => [host, 0]))
      for (const realm of realms) {
        const host = ofHost(Placement.rankHosts(realm, hosts))
        if (host !== undefined) counts.set(host, counts.get(host)! + 1)
      }
      return counts
    }
    for (const led of count(([first]) => first).values()) assert.isAbove(led, realms.length / hosts.length / 2)
    const [gone, ...others] = hosts
    const inherited = count(([first, second]) => first === gone ? second : undefined)
    for (const host of others) assert.isAbove(inherited.get(host)!, 0)
  })

  it("decides who outranks whom, and leaves a leader in its place that is none of the hosts", () => {
    for (const realm of realms) {
      const ranked = Placement.rankHosts(realm, hosts)
      for (const [rank, host] of ranked.entries()) {
        const outranks = Placement.outranking(realm, host, hosts)
        assert.deepStrictEqual(ranked.filter((other) => outranks({ host: other })), ranked.slice(rank + 1))
        assert.isFalse(outranks({ host: "elsewhere.example" }))
      }
    }
  })
})
