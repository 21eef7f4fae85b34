/** A kind is named by its own files and by one line of the registry. All its files exist. */
import { kinds } from "#core/engine/kinds/index.ts"
import { specimens } from "#core/testing/kinds/index.ts"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"

const root = join(import.meta.dirname, "../..")
const names = kinds.map(({ name }) => name).sort()

const isActor = (name: string): boolean => name === "Actor"

describe("every registered kind", () => {
  it("has a specimen", () => {
    assert.deepStrictEqual(specimens.map(({ kind }) => kind.name).sort(), names)
  })

  it("has a public module", () => {
    const files = readdirSync(join(root, "packages/core/src"))
    const modules = files.flatMap((file) => /^Shared(\w+)\.ts$/.exec(file)?.[1] ?? [])
    // Objects of all own kinds have one module. An actor is shared, and its state is not: its module has its own name.
    assert.deepStrictEqual(modules.sort(), [...names.filter((name) => !isActor(name)), "Object"].sort())
    assert.include(files, "Actor.ts")
  })

  it("has a page", () => {
    const pages = readdirSync(join(root, "docs")).filter((file) => file.endsWith(".md"))
      .map((file) => readFileSync(join(root, "docs", file), "utf8"))
    const missing = names.filter((name) =>
      !pages.some((page) => new RegExp(`^#.*\\b${isActor(name) ? "" : "Shared"}${name}\\b`, "m").test(page))
    )
    assert.deepStrictEqual(missing, [])
  })
})
