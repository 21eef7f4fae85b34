// Removes build outputs. `tsc -b` keeps the outputs of deleted sources, and `npm pack` would ship them.
import { rmSync } from "node:fs"
import { join } from "node:path"

for (const name of ["core", "node"]) {
  const folder = join(import.meta.dirname, "..", "packages", name)
  rmSync(join(folder, "dist"), { recursive: true, force: true })
  rmSync(join(folder, "tsconfig.tsbuildinfo"), { force: true })
}
