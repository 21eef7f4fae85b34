// Removes the outputs of the compiler. `tsc -b` keeps the outputs of deleted sources, and `npm pack` would ship them. The
// bundled programs stay, because tests may be about to start them.
import { globSync, rmSync } from "node:fs"
import { join } from "node:path"

for (const name of ["core", "node", "cli", "postgres"]) {
  const folder = join(import.meta.dirname, "..", "packages", name)
  for (const output of globSync("dist/!(programs)", { cwd: folder })) {
    rmSync(join(folder, output), { recursive: true, force: true })
  }
  rmSync(join(folder, "tsconfig.tsbuildinfo"), { force: true })
}
