/** Deployments of a manager of ours: where it listens, and where its state is. Both are text, for the arguments of processes. */
import { NodeManager } from "@effect-multiprocessing/node"
import { PostgresManager } from "@effect-multiprocessing/postgres"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { randomBytes, randomUUID } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { makeCertificate } from "../test/support/certificates.ts"
import { Counter } from "./counter.ts"
import * as PostgresServer from "./peers/postgresServer.ts"

/**
 * In memory at a Unix socket, at a port of loopback without or with TLS, or at a Unix socket with its state in a file; the
 * leader of a realm in PostgreSQL, without or with a synchronous standby.
 */
export type Deployment = "unix" | "tcp" | "tls" | "file" | "postgres" | "standby"

/** How a manager is reached: the arguments of its process, and of its clients. */
export type Arguments = readonly [url: string, key: string, folder: string, file: string]

/** The arguments of this process. */
export const ownArguments = (): Arguments => {
  const [url = "", key = "", folder = "", file = ""] = process.argv.slice(2)
  return [url, key, folder, file]
}

/** Decides how a manager is reached, and starts or writes what it needs. */
export const argumentsOf = (deployment: Deployment, folder: string): Effect.Effect<Arguments, never, Scope.Scope> =>
  Effect.gen(function*() {
    const key = randomBytes(32).toString("hex")
    const file = deployment === "file" ? join(folder, `${randomUUID()}.sqlite`) : ""
    if (deployment === "postgres" || deployment === "standby") {
      return [yield* PostgresServer.start(deployment === "standby"), key, folder, file]
    }
    // With a peer that is ours, too, there are two managers in the folder.
    if (deployment === "unix" || deployment === "file") {
      return [`unix://${join(folder, randomUUID())}`, key, folder, file]
    }
    if (deployment === "tls") writeCertificate(folder)
    return [`${deployment === "tls" ? "emps" : "emp"}://127.0.0.1:${yield* freePort}`, key, folder, file]
  })

/** A manager, as the arguments say. */
export const layerServer = ([url, key, folder, file]: Arguments) => {
  if (isPostgres(url)) return PostgresManager.layer({ ...realm(url, key), listen: { host: "127.0.0.1", port: 0 } })
  const { hostname, pathname, port, protocol } = new URL(url)
  const options: NodeManager.ServerOptions = {
    key: Redacted.make(key),
    address: protocol === "unix:" ? { path: pathname } : { host: hostname, port: Number(port) },
    tls: protocol === "emps:"
      ? { cert: read(folder, certificateFile), key: Redacted.make(read(folder, keyFile)) }
      : undefined
  }
  return file === ""
    ? NodeManager.layerServer({ ...options, kinds: [Counter] })
    : NodeManager.layerDurable({ ...options, path: file })
}

/** A client of it. */
export const layerClient = ([url, key, folder]: Arguments) =>
  isPostgres(url)
    ? PostgresManager.layerClient(realm(url, key))
    : NodeManager.layerClient({
      url,
      key: Redacted.make(key),
      tls: url.startsWith("emps:") ? { ca: read(folder, authorityFile) } : undefined
    })

/** A port of loopback that no process uses now. */
export const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

// internals

const isPostgres = (url: string): boolean => url.startsWith("postgres:")

const realm = (url: string, key: string) => ({ realm: "bench", url: Redacted.make(url), key: Redacted.make(key) })

const authorityFile = "authority.pem"
const certificateFile = "certificate.pem"
const keyFile = "key.pem"

const read = (folder: string, file: string): string => readFileSync(join(folder, file), "utf8")

const writeCertificate = (folder: string): void => {
  const authority = makeCertificate({ name: "bench" })
  const { cert, key } = makeCertificate({ name: "manager", hosts: ["127.0.0.1"], issuer: authority })
  const files = { [authorityFile]: authority.cert, [certificateFile]: cert, [keyFile]: key }
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text, { mode: 0o600 })
}
