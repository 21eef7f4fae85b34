// npm runs this in a package's folder before `npm pack`, and with `--undo` after it. Copies the examples into the
// package, which has no copy of its own. Prints nothing, because `npm pack --json` uses the output.
import { cpSync, rmSync } from "node:fs"
import { join } from "node:path"

rmSync("examples", { recursive: true, force: true })
if (!process.argv.includes("--undo")) {
  cpSync(join(import.meta.dirname, "..", "examples"), "examples", { recursive: true })
}
