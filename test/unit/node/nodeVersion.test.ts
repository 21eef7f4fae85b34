/** A Node that is too old is told in one sentence. */
import { complaint } from "#node/nodeVersion.ts"
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

describe("a version of Node", () => {
  it.each(["16.20.2", "20.20.2", "22.4.0", "22.18.0"])("%s is too old, and the sentence names both", (version) => {
    const said = complaint(version)
    assert.strictEqual(said, `this is Node ${version}, but @effect-multiprocessing/node needs Node 22.19 or newer`)
  })

  it.each(["22.19.0", "22.20.1", "23.0.0", "24.3.0", "26.10.0"])("%s is new enough", (version) => {
    assert.isUndefined(complaint(version))
  })

  it("is too old when the manifest says so", () => {
    const manifest = new URL("../../../packages/node/package.json", import.meta.url)
    const { engines } = JSON.parse(readFileSync(manifest, "utf8"))
    const oldest = engines.node.replace(">=", "")
    const [major, minor] = oldest.split(".").map(Number)
    assert.isUndefined(complaint(oldest))
    assert.isString(complaint(`${major}.${minor - 1}.0`))
  })
})
