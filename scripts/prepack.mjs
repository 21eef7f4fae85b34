// npm runs this in a package's folder before `npm pack`, and with `--undo` after it. Copies the pages, and the examples of
// `node`, into the package, which has no copies of its own. Prints nothing, because `npm pack --json` uses the output.
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, join, posix } from "node:path"

const root = join(import.meta.dirname, "..")
const name = basename(process.cwd())
const { files } = JSON.parse(readFileSync("package.json", "utf8"))

/** Where a file of the repository is when both packages are installed, from their common folder; absent if nowhere. */
const installedPath = (path) => {
  const [folder, ...rest] = path.split("/")
  if (path === "README.md" || folder === "docs") return `${name}/${path}`
  if (folder === "examples") return `node/${path}`
  return folder === "packages" ? rest.join("/") : undefined
}

/** A link of a page, as it is from the package. What is not in a package is not linked. */
const relink = (page) => (link, text, path, anchor = "", title = "") => {
  if (path === "" || /^[a-z]+:/.test(path)) return link
  const target = installedPath(posix.join(posix.dirname(page), path))
  if (target === undefined) return text
  const address = posix.relative(posix.dirname(`${name}/${page}`), target)
  // A package has a README.md of its own, with other headings.
  return `[${text}](${address}${path.endsWith("README.md") ? "" : anchor}${title})`
}

const withLinks = (page, text) =>
  text.split(/^(```[^]*?^```$)/m).map((part) =>
    part.startsWith("```")
      ? part
      : part.replace(/\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*)?( "[^"]*")?\)/g, relink(page))
  ).join("")

for (const folder of ["docs", "examples"].filter((folder) => files.includes(folder))) {
  rmSync(folder, { recursive: true, force: true })
  if (process.argv.includes("--undo")) continue
  cpSync(join(root, folder), folder, { recursive: true })
  for (const page of globSync(`${folder}/**/*.md`).map((path) => path.replaceAll("\\", "/"))) {
    writeFileSync(page, withLinks(page, readFileSync(page, "utf8")))
  }
}
