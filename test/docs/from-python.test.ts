/** docs/from-python.md answers every case of the tutorials, and the examples it names know the cases. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { root } from "./pages.ts"

const text = readFileSync(join(root, "docs/from-python.md"), "utf8")

/** A row of the table: a case, and what it became. */
const rows = [...text.matchAll(/^\| SEED-(\d+) +\|.*\| (.*?) +\|$/gm)].map(([, number, here]) => ({
  number: Number(number),
  examples: [...here!.matchAll(/\(\.\.\/(examples\/[^)]+)\)/g)].map(([, path]) => path!),
  hasLink: /\]\([^)]+\)/.test(here!),
  absent: /\*\*not here\*\*: (.*)$/.exec(here!)?.[1]
}))

const examples = readdirSync(join(root, "examples")).filter((name) => name.endsWith(".ts"))
const read = (path: string) => readFileSync(join(root, path), "utf8")

/** The cases that an example's header names: "SEED-9, 10, 62", "SEED-25 to 28". */
const casesOf = (source: string): ReadonlyArray<number> =>
  [...source.matchAll(/SEED-(\d+(?:(?:, | to )\d+)*)/g)].flatMap(([, list]) =>
    list!.split(", ").flatMap((part) => {
      const [first, last = first] = part.split(" to ").map(Number)
      return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i)
    })
  )

describe("every program of the tutorials", () => {
  it("has its row, in order", () => {
    assert.deepStrictEqual(rows.map(({ number }) => number), Array.from({ length: 64 }, (_, i) => i + 1))
  })

  it("is an example, a test, or absent for one of the few reasons there may be", () => {
    const reasons = /^(?:TCP|on several \(TCP\)|on a port \(TCP\)|shared memory|a pool published)/
    assert.deepStrictEqual(
      rows.filter(({ absent, hasLink }) => absent === undefined ? !hasLink : !reasons.test(absent)),
      []
    )
  })

  it("is named in the header of its example", () => {
    const unknown = rows.flatMap(({ examples, number }) =>
      examples
        .filter((path) => existsSync(join(root, path)) && !casesOf(read(path)).includes(number))
        .map((path) => `${path} does not name SEED-${number}`)
    )
    assert.deepStrictEqual(unknown, [])
  })

  it("that an example's header names leads to that example", () => {
    const missing = examples.flatMap((name) =>
      casesOf(read(`examples/${name}`))
        .filter((number) => !rows[number - 1]!.examples.includes(`examples/${name}`))
        .map((number) => `SEED-${number} does not lead to ${name}`)
    )
    assert.deepStrictEqual(missing, [])
  })

  it("is listed among the examples", () => {
    const listed = [...read("examples/README.md").matchAll(/^\| \[.*\]\((\S+)\)/gm)].map(([, name]) => name!)
    assert.deepStrictEqual(listed, examples.toSorted())
  })
})

describe("every kind", () => {
  const kinds = [...read("packages/core/src/index.ts").matchAll(/export \* as Shared(\w+) from/g)].map(([, kind]) =>
    kind!
  )

  it.each(kinds)("Shared%s has its row, which links its test", (kind) => {
    const here = [...text.matchAll(/^\| [^|]+\| ([^|]+)\|/gm)].map(([, here]) => here!)
    const row = here.find((here) => here.includes(`[\`Shared${kind}\`](`))
    const test = kind.charAt(0).toLowerCase() + kind.slice(1)
    assert.include(row ?? "no row", `(../test/conformance/suites/${test}.ts`)
  })
})
