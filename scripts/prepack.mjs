// Run by npm in a package's folder before `npm pack`, and with `--undo` after it: brings the examples along, which the
// package has no copy of. Prints nothing, since `npm pack --json` owns the output.
import { cpSync, rmSync } from "node:fs"
import { join } from "node:path"

rmSync("examples", { recursive: true, force: true })
if (!process.argv.includes("--undo")) {
  cpSync(join(import.meta.dirname, "..", "examples"), "examples", { recursive: true })
}
