// The borders between the folders of the core, also for transitive imports. The linter sees direct imports only.
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join, sep } from "node:path"
import { pathToFileURL } from "node:url"
import { assert, describe, it } from "vitest"
import { breaches, cycles, graphOf, reachedFrom, type Wall } from "./imports.ts"

const folder = join(import.meta.dirname, "../../packages/core/src")
const graph = graphOf(
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => ({ path: file.split(sep).join("/"), text: readFileSync(join(folder, file), "utf8") }))
)

const isIn = (...rooms: ReadonlyArray<string>) => (file: string) => rooms.some((room) => file.startsWith(`${room}/`))
/** Without Manager, which starts a server in memory, and without the barrel, which exports Manager. */
const isPublic = (file: string) => !file.includes("/") && file !== "Manager.ts" && file !== "index.ts"

const of = (file: string) => new Set([file, ...reachedFrom(graph, file, "loads").keys()])
const [value, list, sequenced] = [of("engine/Value.ts"), of("engine/Linked.ts"), of("engine/SequenceMap.ts")]

const walls: Record<string, Wall> = {
  "engine/ imports only engine/": {
    from: isIn("engine"),
    to: (file) => !isIn("engine")(file),
    followed: "types, too"
  },
  "protocol/ loads only itself, the limits and what a value is": {
    from: isIn("protocol"),
    to: (file) => !isIn("protocol")(file) && file !== "Limits.ts" && !value.has(file),
    followed: "loads"
  },
  "transport/ loads only itself, protocol/ and what that loads": {
    from: isIn("transport"),
    to: (file) => !isIn("transport", "protocol")(file) && file !== "Limits.ts" && !value.has(file),
    followed: "loads"
  },
  "client/, proxy/ and the public modules load of the engine only what a value is, and the map of calls": {
    from: (file) => isIn("actor", "client", "proxy")(file) || isPublic(file) && file !== "Pool.ts",
    to: (file) => isIn("engine")(file) && !value.has(file) && !sequenced.has(file),
    followed: "loads"
  },
  "pool/ loads of the engine only what a value is, and lists": {
    from: (file) => isIn("pool")(file) || file === "Pool.ts",
    to: (file) => isIn("engine")(file) && !value.has(file) && !list.has(file),
    followed: "loads"
  },
  "client/, proxy/, pool/ and the public modules do not know server/": {
    from: (file) => isIn("actor", "client", "proxy", "pool")(file) || isPublic(file),
    to: isIn("server"),
    followed: "types, too"
  },
  "kind/ does not load client/, server/ and pool/": {
    from: isIn("kind"),
    to: isIn("client", "server", "pool"),
    followed: "loads"
  },
  "server/ does not know client/, proxy/, kind/ and pool/": {
    from: isIn("server"),
    to: isIn("client", "proxy", "kind", "pool"),
    followed: "types, too"
  },
  "client/ does not know proxy/": { from: isIn("client"), to: isIn("proxy", "pool"), followed: "types, too" },
  "only testing/ imports testing/": {
    from: (file) => !isIn("testing")(file),
    to: isIn("testing"),
    followed: "types, too"
  }
}

describe("the rooms of the core", () => {
  for (const [name, wall] of Object.entries(walls)) {
    it(`${name}`, () => assert.deepStrictEqual(breaches(graph, wall), []))
  }

  it("has no cycles, type imports included", () => assert.deepStrictEqual(cycles(graph), []))
})

/** The modules of the core that Node loads when it imports one of them. */
const loadedWith = (file: string): ReadonlyArray<string> => {
  const base = `${pathToFileURL(folder).href}/`
  const program = `
    import { registerHooks } from "node:module"
    const loaded = []
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
    await import("${base}${file}")
    console.log(JSON.stringify(loaded))`
  const { stderr, stdout } = spawnSync(process.execPath, [...process.execArgv, "--input-type=module", "-e", program], {
    encoding: "utf8"
  })
  assert.strictEqual(stderr, "")
  return JSON.parse(stdout).filter((url: string) => url.startsWith(base)).map((url: string) => url.slice(base.length))
}

describe("the graph of imports", () => {
  for (const file of ["proxy/Shared.ts", "testing/index.ts"]) {
    it(`is what Node loads with ${file}`, () =>
      assert.deepStrictEqual(loadedWith(file).toSorted(), [...of(file)].toSorted()))
  }

  const fake = (files: Record<string, string>) =>
    graphOf(Object.entries(files).map(([path, text]) => ({ path, text: `/** A file. */\n${text}\n` })))
  const wall: Omit<Wall, "followed"> = { from: isIn("proxy"), to: isIn("server") }

  it("finds a way of two files through a wall", () => {
    const ways = breaches(
      fake({
        "proxy/Shared.ts": `import {\n  one,\n  type Two\n} from "./tag.ts"`,
        "proxy/tag.ts": `import * as Server from "../server/Server.ts"`,
        "server/Server.ts": `import * as Effect from "effect/Effect"`
      }),
      { ...wall, followed: "loads" }
    )
    assert.deepStrictEqual(ways, [
      "proxy/Shared.ts → proxy/tag.ts → server/Server.ts",
      "proxy/tag.ts → server/Server.ts"
    ])
  })

  it("knows every form of import", () => {
    const forms = {
      [`import "../server/Server.ts"`]: "loads",
      [`import { type Server } from "../server/Server.ts"`]: "loads",
      [`export * from "../server/Server.ts"`]: "loads",
      [`const server = () => import("../server/Server.ts")`]: "loads",
      [`import type { Server } from "../server/Server.ts"`]: "types, too",
      [`export type { Server } from "../server/Server.ts"`]: "types, too",
      [`// import "../server/Server.ts"`]: undefined
    }
    for (const [form, least] of Object.entries(forms)) {
      const graph = fake({ "proxy/Shared.ts": form, "server/Server.ts": "" })
      const followed = (["loads", "types, too"] as const).find((followed) =>
        breaches(graph, { ...wall, followed }).length > 0
      )
      assert.strictEqual(followed, least, form)
    }
  })

  it("finds a cycle of type imports", () => {
    const files = {
      "engine/Engine.ts": `import { step } from "./Step.ts"`,
      "engine/Step.ts": `import type { Watcher } from "./Watchers.ts"`,
      "engine/Watchers.ts": `import type { Engine } from "./Engine.ts"`,
      "engine/Lane.ts": `import type { Step } from "./Step.ts"`
    }
    assert.deepStrictEqual(cycles(fake(files)), [
      "engine/Engine.ts → engine/Step.ts → engine/Watchers.ts → engine/Engine.ts",
      "engine/Step.ts → engine/Watchers.ts → engine/Engine.ts → engine/Step.ts",
      "engine/Watchers.ts → engine/Engine.ts → engine/Step.ts → engine/Watchers.ts"
    ])
  })
})
