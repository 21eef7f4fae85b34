/** The crawler on two machines, as a person runs it, and the same program on one. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { kindOf, tryNamespaces } from "../../examples/50_two_machines/machines.ts"
import { allPages, serve } from "../../examples/50_two_machines/web.ts"
import { start, startWith } from "../process/harness.ts"
import { sample } from "../support/budget.ts"
import { matches, type Run, runsOf } from "./header.ts"

const program = new URL("../../examples/50_two_machines/main.ts", import.meta.url)
const machine = new URL("../../examples/50_two_machines/machine.ts", import.meta.url)

describe("the machines", () => {
  it("are namespaces where the system lets them be made, and groups of processes for the reason that it gives", () => {
    const refused = "unshare: unshare failed: Operation not permitted"
    const noFile = new Error("spawnSync unshare ENOENT")
    assert.deepStrictEqual(kindOf({ status: 0, stderr: "" }), { _tag: "Namespaces" })
    assert.deepStrictEqual(kindOf({ status: 1, stderr: `${refused}\nmore\n` }), { _tag: "Groups", why: refused })
    assert.deepStrictEqual(kindOf({ status: null, stderr: "", error: noFile }), { _tag: "Groups", why: noFile.message })
  })
})

describe("the crawler", () => {
  it.live.each(sample(["", "--groups"]))(
    "loses no page when one of its two machines fails %s",
    (option) =>
      Effect.gen(function*() {
        const [{ lines: [namespaces, ...lines] }] = runsOf(readFileSync(program, "utf8")) as [Run]
        const kind = option !== "" ? { _tag: "Groups", why: "so says --groups" } as const : kindOf(tryNamespaces())
        const expected = kind._tag === "Groups" ? `each machine is a group of processes: ${kind.why}` : namespaces!
        const { exit, output } = yield* start(program, ...option === "" ? [] : [option])
        const { code } = yield* exit
        // A busy machine may not confirm its leader in time: that costs a change of the leader, and no page.
        const said = output().replaceAll(/^.* WARN \(.*not confirmed.*\n/gm, "")
        assert.isTrue(matches([expected, ...lines], said), output())
        assert.strictEqual(code, 0)
      }).pipe(Effect.scoped)
  )

  it.live("runs unchanged on one machine, with a manager of its own", () =>
    Effect.gen(function*() {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "emp-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true }))
      )
      const path = join(folder, "web")
      const { fetches } = yield* serve(path, Infinity)
      const { exit, output } = yield* startWith({ env: { WEB: path } }, machine)
      yield* exit
      assert.strictEqual(output(), "crawls with two processes\n60 pages have been visited\n")
      assert.deepStrictEqual(new Map(fetches), new Map(allPages().map((name) => [name, 1])))
    }).pipe(Effect.scoped))
})
