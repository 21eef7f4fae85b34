/** Where a manager of ours listens, and where its state is. Both are text, for the arguments of processes. */
import type { NodeManager } from "@effect-multiprocessing/node"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomBytes, randomUUID } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { makeCertificate } from "../test/support/certificates.ts"

/** In memory at a Unix socket, at a port of loopback without or with TLS, or at a Unix socket with its state in a file. */
export type Deployment = "unix" | "tcp" | "tls" | "file"

/** How a manager is reached: the arguments of its process, and of its clients. */
export type Arguments = readonly [url: string, key: string, folder: string, file: string]

/** The arguments of this process. */
export const ownArguments = (): Arguments => {
  const [url = "", key = "", folder = "", file = ""] = process.argv.slice(2)
  return [url, key, folder, file]
}

/** Decides how a manager is reached, and writes the certificate that it needs. */
export const argumentsOf = (deployment: Deployment, folder: string): Effect.Effect<Arguments> =>
  Effect.gen(function*() {
    const key = randomBytes(32).toString("hex")
    const file = deployment === "file" ? join(folder, `${randomUUID()}.sqlite`) : ""
    // With a peer that is ours, too, there are two managers in the folder.
    if (deployment === "unix" || deployment === "file") {
      return [`unix://${join(folder, randomUUID())}`, key, folder, file]
    }
    if (deployment === "tls") writeCertificate(folder)
    return [`${deployment === "tls" ? "emps" : "emp"}://127.0.0.1:${yield* freePort}`, key, folder, file]
  })

/** What the arguments say to a manager. */
export const serverOf = ([url, key, folder]: Arguments): NodeManager.ServerOptions => {
  const { hostname, pathname, port, protocol } = new URL(url)
  return {
    key: Redacted.make(key),
    address: protocol === "unix:" ? { path: pathname } : { host: hostname, port: Number(port) },
    tls: protocol === "emps:"
      ? { cert: read(folder, certificateFile), key: Redacted.make(read(folder, keyFile)) }
      : undefined
  }
}

/** What they say to a client. */
export const clientOf = ([url, key, folder]: Arguments): Parameters<typeof NodeManager.layerClient>[0] => ({
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
