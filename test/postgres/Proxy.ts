/** A proxy before the socket of PostgreSQL, which can lose answers, stop, and see what is sent. */
import * as Effect from "effect/Effect"
import { mkdtempSync, rmSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The code of a request to cancel, in its third and fourth four bytes. */
const cancelRequest = 80_877_102

export class Proxy {
  /** The folder of its socket. */
  readonly folder = mkdtempSync(join(tmpdir(), "proxy-"))
  /**
   * What becomes of the answers of the server. *lost*: one that tells of an entry ends its connection, all others arrive, so
   * that a connection can be made over which an entry is written.
   */
  answers: "told" | "lost" | "held" = "told"
  /** Requests to cancel a statement. */
  cancels = 0
  /** Answers that were lost after an entry had been committed. */
  lostEntries = 0
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((client) => this.#serve(client))
  readonly #target: string

  constructor(target: string) {
    this.#target = target
  }

  /** Listens for the life of the scope. */
  static readonly make = (target: string) =>
    Effect.acquireRelease(
      Effect.callback<Proxy>((resume) => {
        const proxy = new Proxy(join(target, ".s.PGSQL.5432"))
        proxy.#server.listen(join(proxy.folder, ".s.PGSQL.5432"), () => resume(Effect.succeed(proxy)))
      }),
      (proxy) =>
        Effect.callback<void>((resume) => {
          for (const socket of proxy.#sockets) socket.destroy()
          proxy.#server.close(() => {
            rmSync(proxy.folder, { recursive: true, force: true })
            resume(Effect.void)
          })
        })
    )

  #serve(client: Socket): void {
    const server = connect(this.#target)
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      this.#sockets.add(socket)
      socket.on("error", () => other.destroy()).on("close", () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    client.on("data", (data: Buffer) => {
      if (data.length >= 8 && data.readInt32BE(4) === cancelRequest) this.cancels++
      server.write(data)
    })
    server.on("data", (data) => {
      if (this.answers === "held") return
      if (this.answers === "told" || !data.includes("INSERT 0 1")) return void client.write(data)
      this.lostEntries++
      client.destroy()
    })
  }
}
