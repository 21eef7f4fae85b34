// Makes `npm test` and the other scripts work on a bare clone. Installs the dependencies, and with them the Node binary
// that runs the scripts, when they are missing or differ from package-lock.json, and bundles the programs of
// packages/node. Runs on Node 20 with nothing installed. If there is nothing to do, it takes a few milliseconds and
// prints nothing.
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setup } from "./bundles.mjs"

const root = join(import.meta.dirname, "..")
const binary = join(root, "node_modules", ".bin", process.platform === "win32" ? "node.cmd" : "node")
const oldestNode = [22, 19]

/** The packages of a lock file by folder; undefined if the file is missing or incomplete. */
const readLock = (path) => {
  try {
    return JSON.parse(readFileSync(join(root, path), "utf8")).packages
  } catch {
    return undefined
  }
}

/** The installed packages: npm writes node_modules/.package-lock.json as the last step of an install. */
const reasonToInstall = () => {
  const installed = readLock("node_modules/.package-lock.json")
  if (installed === undefined) return "dependencies are not installed"
  for (const [folder, wanted] of Object.entries(readLock("package-lock.json"))) {
    if (!folder.startsWith("node_modules/")) continue
    const found = installed[folder]
    // Binaries for other platforms are optional and absent.
    if (found === undefined && wanted.optional) continue
    if (found?.version !== wanted.version || found?.integrity !== wanted.integrity || found?.link !== wanted.link) {
      return "dependencies differ from package-lock.json"
    }
  }
  return undefined
}

const install = (reason) => {
  process.stderr.write(`${reason}: running npm ci (once, under a minute)\n`)
  const args = ["ci", "--include=dev", "--include=optional", "--loglevel=error"]
  // Uses the npm that runs this script, on its own Node, because the install replaces the Node in node_modules.
  const { npm_execpath: npm, npm_node_execpath: node = process.execPath } = process.env
  const options = { cwd: root, stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" }
  const result = npm === undefined
    ? spawnSync("npm", args, { ...options, shell: process.platform === "win32" })
    : spawnSync(node, [npm, ...args], options)
  if (result.status !== 0) {
    const output = `${result.stdout ?? ""}${result.stderr ?? ""}${result.error ?? ""}`
    process.stderr.write(`${output.split("\n").slice(0, 40).join("\n")}\nnpm ci failed\n`)
    process.exit(1)
  }
}

const reason = reasonToInstall()
if (reason !== undefined) install(reason)

// No Node binary is published for this platform, so the scripts run on the host's, if it is new enough.
const [major, minor] = process.versions.node.split(".").map(Number)
if (!existsSync(binary) && (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]))) {
  process.stderr.write(`Node ${oldestNode.join(".")} or newer is needed on this platform, this is ${process.version}\n`)
  process.exit(1)
}

setup()
