/** A copy of the repository, in which sources can be changed. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"

const root = join(import.meta.dirname, "../..")

const isLeftOut = (path: string): boolean =>
  [".git", ".generated", "coverage", "dist", "node_modules", "results"].includes(basename(path)) ||
  path.endsWith(".tsbuildinfo")

/** Copies the repository into a new folder, which the caller removes. Returns its path. */
export const copyRepository = (): string => {
  const copy = mkdtempSync(join(tmpdir(), "repository-"))
  cpSync(root, copy, { recursive: true, filter: (path) => !isLeftOut(path) })
  // The dependencies are those of the repository, but for the packages of the copy.
  const [from, to] = [join(root, "node_modules"), join(copy, "node_modules")]
  mkdirSync(join(to, "@effect-multiprocessing"), { recursive: true })
  for (const name of readdirSync(from)) {
    if (name !== "@effect-multiprocessing" && name !== ".cache") symlinkSync(join(from, name), join(to, name))
  }
  for (const name of readdirSync(join(from, "@effect-multiprocessing"))) {
    symlinkSync(join("../../packages", name), join(to, "@effect-multiprocessing", name))
  }
  return copy
}
