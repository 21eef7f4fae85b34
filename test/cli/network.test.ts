/** `emp` at ports: `serve --listen`, with and without TLS, and the URL of every other command. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { sample } from "../support/budget.ts"
import { makeCertificate } from "../support/certificates.ts"
import { type Running, start, until } from "./emp.ts"

/** The arguments of a command, its exit code, and what it says. */
type Mistake = readonly [args: ReadonlyArray<string>, code: number, issue: RegExp]

const folder = mkdtempSync(join(tmpdir(), "emp-cli-"))
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const keyFile = join(folder, "key")
const authority = makeCertificate({ name: "the authority of the tests" })
const own = makeCertificate({ name: "server", hosts: ["localhost", "127.0.0.1"], issuer: authority })
const [ca, cert, certKey] = [file("ca.pem", authority.cert), file("cert.pem", own.cert), file("cert-key.pem", own.key)]

const manager = (...args: ReadonlyArray<string>): Running =>
  start(["serve", "--key-file", keyFile, "--make-key-file", ...args])

const client = makeCertificate({ name: "emp", issuer: authority })
const [clientCert, clientKey] = [file("client.pem", client.cert), file("client-key.pem", client.key)]

let [plain, encrypted, mutual]: ReadonlyArray<Running> = []
let [plainUrl, encryptedUrl, mutualUrl]: ReadonlyArray<string> = []

/** What a manager says that it listens at. */
const urlsOf = async (running: Running): Promise<ReadonlyArray<string>> => {
  await until(running, () => running.out().includes("\n"))
  return /^the manager listens at (.*)\n$/.exec(running.out())![1]!.split(" and ")
}

beforeAll(async () => {
  plain = manager("--socket", join(folder, "manager"), "--listen", "127.0.0.1:0", "--listen", "[::1]:0")
  const [socket, ...urls] = await urlsOf(plain)
  assert.strictEqual(socket, join(folder, "manager"))
  assert.match(urls.join(), /^emp:\/\/127\.0\.0\.1:\d+,emp:\/\/\[::1\]:\d+$/)
  plainUrl = urls[1]
  encrypted = manager("--listen", "127.0.0.1:0", "--cert", cert, "--cert-key", certKey)
  encryptedUrl = (await urlsOf(encrypted))[0]
  mutual = manager("--listen", "127.0.0.1:0", "--cert", cert, "--cert-key", certKey, "--client-ca", ca)
  mutualUrl = (await urlsOf(mutual))[0]
  assert.match(encryptedUrl!, /^emps:\/\/127\.0\.0\.1:\d+$/)
})

afterAll(async () => {
  for (const running of [plain!, encrypted!, mutual!]) {
    running.process.kill("SIGTERM")
    assert.strictEqual((await running.ended).code, 0)
  }
  rmSync(folder, { recursive: true })
})

const ls = (args: ReadonlyArray<string>, env?: NodeJS.ProcessEnv) =>
  start(["ls", "--key-file", keyFile, ...args], env).ended

describe("emp at a port", () => {
  it("reaches its manager by --url or EMP_URL, and by TLS with --ca or EMP_CA", async () => {
    const reached = { code: 0, out: "NAME  KIND  HELD  WAITING  WATCHERS  REFERENCES\n", error: "" }
    assert.deepStrictEqual(await ls(["--url", plainUrl!]), reached)
    assert.deepStrictEqual(await ls([], { EMP_URL: plainUrl }), reached)
    assert.deepStrictEqual(await ls(["--url", encryptedUrl!, "--ca", ca]), reached)
    assert.deepStrictEqual(await ls([], { EMP_URL: encryptedUrl, EMP_CA: ca }), reached)
  })

  it.each(sample<Mistake>([
    [["--url", "emps://127.0.0.1:1"], 4, /ECONNREFUSED/],
    [["--url", "emp://key@127.0.0.1:1"], 4, /a URL has no key/],
    [["--url", "emp://127.0.0.1:1", "--socket", "here"], 2, /give --socket or --url, not both/],
    [[], 2, /the manager is missing\. Give --socket PATH or --url URL, or set EMP_URL/],
    [["--url", "emps://127.0.0.1:1", "--ca", "nowhere"], 1, /cannot read nowhere/]
  ]))("says in one line what is wrong with %j", async (args, code, issue) => {
    const ended = await ls(args)
    assert.match(ended.error, issue)
    assert.match(ended.error, /^emp: .*\n$/)
    assert.strictEqual(ended.code, code)
  })

  it("shows its certificate of --cert or EMP_CERT where one is required", async () => {
    const at = ["--url", mutualUrl!, "--ca", ca]
    assert.strictEqual((await ls([...at, "--cert", clientCert, "--cert-key", clientKey])).code, 0)
    assert.strictEqual((await ls(at, { EMP_CERT: clientCert, EMP_CERT_KEY: clientKey })).code, 0)
    assert.strictEqual((await ls(at)).code, 4)
    assert.match((await ls([...at, "--cert", clientCert])).error, /needs its private key/)
  })

  it("meets no authority that it trusts without --ca", async () => {
    assert.match((await ls(["--url", encryptedUrl!])).error, /no authority that this client trusts/)
  })

  it.each(sample<Mistake>([
    [[], 2, /where to listen is missing/],
    [["--listen", "7000"], 2, /--listen takes HOST:PORT/],
    [["--listen", "::1:7000"], 2, /--listen takes HOST:PORT/],
    [["--listen", "127.0.0.1:0", "--cert", cert], 2, /TLS needs --cert FILE and --cert-key FILE/],
    [["--listen", "0.0.0.0:0"], 1, /not loopback/]
  ]))("serves nothing with %j", async (args, code, issue) => {
    const ended = await manager(...args).ended
    assert.match(ended.error, issue)
    assert.strictEqual(ended.code, code)
  })
})
