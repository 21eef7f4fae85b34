/** A program that uses Effect only in part: promises and a server of Node around one runtime. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { allGone, descendants, start, waitUntil } from "./harness.ts"

describe("an HTTP server", () => {
  it.live("answers from one manager and from workers, and leaves nothing when it is ended", () =>
    Effect.gen(function*() {
      const server = yield* start(new URL("../../examples/40_http_server/main.ts", import.meta.url))
      const port = /port: (\d+)/
      yield* waitUntil("it listens", () => port.test(server.output()))
      const visit = Effect.promise(() =>
        fetch(`http://localhost:${port.exec(server.output())![1]}/`).then((response) => response.text())
      )
      const answers = yield* Effect.all([visit, visit, visit], { concurrency: "unbounded" })
      assert.deepStrictEqual([...answers].sort(), [1, 2, 3].map((n) => `visit ${n}, pi is about 3.1416\n`))
      const children = descendants(server.pid)
      assert.isAbove(children.length, 0)
      server.process.kill("SIGINT")
      assert.strictEqual((yield* server.exit).code, 0, server.output())
      yield* allGone(children)
    }).pipe(Effect.scoped))
})
