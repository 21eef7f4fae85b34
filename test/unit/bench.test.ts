/** The comparisons of the benchmark, and the form of its results. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { chart } from "../../bench/chart.ts"
import { full, quick } from "../../bench/comparisons.ts"
import { results, withResults } from "../../bench/page.ts"
import type { Report, Row } from "../../bench/report.ts"
import { keyOf } from "../../bench/rounds.ts"

const keys = full.map(keyOf)

const rows = full.map((comparison, i): Row => {
  const ratio = 0.05 * 1.15 ** i
  const { peer, task } = comparison
  const result = { ours: ratio * 1_000, theirs: 1_000, ratio, lowest: ratio / 2, highest: ratio * 2 }
  return { key: keyOf(comparison), task, peer: peer.name, ...result }
})

const report: Report = {
  rows,
  skipped: [{ peer: "somebody", reason: "something is not installed" }],
  failed: [{ key: "a@1x1/b", reason: "it broke" }],
  plan: { pairs: 3, roundMs: 100, warmUpMs: 100 },
  machine: { cpu: "Abacus", cores: 2, memoryGiB: 4, kernel: "Linux 1.0", node: "1.2", python: "3.4", redis: undefined },
  date: "2026-01-02T03:04:05.000Z"
}

describe("the comparisons", () => {
  it("are each made once", () => assert.strictEqual(new Set(keys).size, keys.length))

  it("that are quick keep their keys", () => {
    assert.deepStrictEqual(quick.map(keyOf), [
      "map.set@256x1/node-redis",
      "map.get@256x1/node-redis",
      "map.set@256x1/python-manager",
      "map.set@256x1/bare-echo",
      "ref.get@1x1/raw-pingpong"
    ])
  })

  it("that are quick are among all", () => {
    assert.deepStrictEqual(quick.map(keyOf).filter((key) => !keys.includes(key)), [])
  })
})

describe("the page", () => {
  const page = readFileSync(new URL("../../docs/performance.md", import.meta.url), "utf8")
  const text = results(report)

  it("keeps everything that is not between its marks, and the results only once", () => {
    const written = withResults(page, text)
    assert.include(written, text)
    assert.strictEqual(withResults(withResults(page, "other"), text), written)
    assert.deepStrictEqual([written.slice(0, 500), written.slice(-500)], [page.slice(0, 500), page.slice(-500)])
  })

  it("without its marks is refused", () => assert.throws(() => withResults("# Performance", text), /no "<!--/))

  it("has every comparison, and names those where the peer is faster, that were skipped, or that failed", () => {
    const [table, slower] = text.split("slower than the peer")
    for (const { key, ratio } of rows) {
      assert.include(table, `| ${key} `)
      assert.strictEqual(slower!.includes(`\`${key}\``), ratio < 1, key)
    }
    assert.include(text, "somebody (something is not installed)")
    assert.include(text, "`a@1x1/b` (it broke)")
  })

  it("names the machine", () => {
    assert.include(
      text,
      "2026-01-02 with Abacus, 2 cores, 4 GiB of memory, Linux 1.0; Node 1.2, Python 3.4, Redis none"
    )
  })

  it("shows only comparisons that are made", () => {
    const shown = [...page.matchAll(/^\| (\S+@\d+x\d+\/\S+) /gm)].map(([, key]) => key!)
    assert.deepStrictEqual(shown.filter((key) => !keys.includes(key)), [])
  })
})

describe("the chart", () => {
  const picture = chart(rows, "A & B")
  const marks = [...picture.matchAll(/<title>([^:]+): [^<]+<\/title><line x1="([\d.]+)" x2="([\d.]+)"/g)]

  it("has a mark for every comparison", () => {
    assert.deepStrictEqual(marks.map(([, key]) => key).toSorted(), keys.toSorted())
  })

  it("has larger ratios further to the right, and none outside", () => {
    const width = Number(/viewBox="0 0 (\d+)/.exec(picture)![1])
    const ends = new Map(marks.map(([, key, low, high]) => [key!, [Number(low), Number(high)]]))
    const inOrder = keys.map((key) => ends.get(key)!)
    assert.deepStrictEqual(inOrder.map(([low]) => low), inOrder.map(([low]) => low!).toSorted((a, b) => a - b))
    assert.isTrue(inOrder.every(([low, high]) => low! > 0 && high! <= width))
  })

  it("is well-formed", () => {
    assert.include(picture, "<title>A &amp; B</title>")
    const open = [...picture.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)].reduce(
      (depth, [, close, , empty]) => depth + (close === "/" ? -1 : empty === "/" ? 0 : 1),
      0
    )
    assert.strictEqual(open, 0)
  })
})
