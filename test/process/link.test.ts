/** The pipe between an owner and its child, with a real child at the other end. */
import * as ChildProcess from "#node/childProcess.ts"
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { waitUntil } from "./harness.ts"

/** Answers what it is told, and once more when it is told that nothing more comes; then it ends. */
const echo = `
  import { Socket } from "node:net"
  process.on("SIGTERM", () => {})
  const owner = new Socket({ fd: 3, allowHalfOpen: true })
  owner.on("data", (bytes) => owner.write(bytes)).on("end", () => owner.end("bye"))
`

it.live("what a child says after its owner has closed their link is heard, and so is its end", () =>
  Effect.gen(function*() {
    let heard = ""
    const reading = yield* Effect.scoped(Effect.gen(function*() {
      const { link } = yield* ChildProcess.start({
        name: "echo",
        args: ["--input-type=module", "--eval", echo],
        environment: {},
        grace: "10 seconds",
        linked: true
      })
      const reading = yield* Effect.forkDetach(link.read((bytes) => heard += new TextDecoder().decode(bytes)))
      link.send(new TextEncoder().encode("hello, "))
      yield* waitUntil("it answers", () => heard === "hello, ")
      return reading
    }))
    const end = yield* Effect.flip(Fiber.join(reading))
    assert.strictEqual(end._tag, "LinkClosed")
    assert.strictEqual(heard, "hello, bye")
  }).pipe(Effect.provide(NodeServices.layer)))
