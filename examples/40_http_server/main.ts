import { Process } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Effect, Layer, ManagedRuntime } from "effect"
import { createServer } from "node:http"
import { Sum, Tasks, Visits } from "./shared.ts"

// One for the program, not one for each request: it holds the manager, the connection and the shared objects.
const program = NodeManager.layerProgram({ entry: new URL("./worker.ts", import.meta.url) })
const runtime = ManagedRuntime.make(Layer.provideMerge(Visits.layer, program))

const page = Effect.gen(function*() {
  const visit = yield* (yield* Visits).increment
  const sum = yield* Process.run(Tasks, Sum, { terms: 1_000_000 })
  return `visit ${visit}, pi is about ${sum.toFixed(4)}\n`
})

const server = createServer((_, response) => {
  // When the client disconnects, the effect is interrupted and the worker is ended.
  const gone = new AbortController()
  response.once("close", () => gone.abort())
  runtime.runPromise(page, { signal: gone.signal }).then(
    (text) => response.end(text),
    (error: unknown) => response.writeHead(500).end(`${String(error)}\n`)
  )
})

const stop = () => {
  server.close()
  server.closeAllConnections()
  // Ends the workers, then the manager.
  void runtime.dispose()
}
process.once("SIGINT", stop).once("SIGTERM", stop)

server.listen(Number(process.env["PORT"] ?? 0), () => console.log("listening", server.address()))
