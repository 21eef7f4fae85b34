/** A copy of the library, which the compiler reads and does not check: to check it takes longer than programs that use it. */
import { cpSync, globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

const root = join(import.meta.dirname, "../..")

/** Copies the packages with their sources into `packages` of a folder whose programs import them. */
export const copyLibrary = (folder: string): void => {
  mkdirSync(join(folder, "node_modules", "@effect-multiprocessing"), { recursive: true })
  const { imports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", imports }))
  for (const name of ["core", "node", "postgres"]) {
    const [from, to] = [join(root, "packages", name), join(folder, "packages", name)]
    for (const path of globSync("src/**/*.ts", { cwd: from })) {
      mkdirSync(dirname(join(to, path)), { recursive: true })
      writeFileSync(join(to, path), `// @ts-nocheck\n${readFileSync(join(from, path), "utf8")}`)
    }
    cpSync(join(from, "package.json"), join(to, "package.json"))
    symlinkSync(join("..", "..", "packages", name), join(folder, "node_modules", "@effect-multiprocessing", name))
  }
}
