/** The Markdown pages of the repository: their fences, headings and links. */
import { readdirSync, readFileSync } from "node:fs"
import { join, relative, sep } from "node:path"

export const root = join(import.meta.dirname, "../..")

/** A fenced block of a page. */
export interface Fence {
  readonly language: string
  /** What stands after the language: `wrong` is code that must not compile. */
  readonly remark: string
  readonly text: string
  /** Line of the opening fence, from 1. */
  readonly line: number
  /** The last line before it that is not empty. */
  readonly before: string
}

/** A link of a page, to a file of the repository or a heading. */
export interface Link {
  readonly path: string
  readonly anchor: string
  /** The text in quotes after the address: names something that the file must contain. */
  readonly title: string
  readonly line: number
}

/** A page. */
export interface Page {
  /** From the root, with slashes. */
  readonly path: string
  readonly fences: ReadonlyArray<Fence>
  readonly links: ReadonlyArray<Link>
  readonly anchors: ReadonlySet<string>
}

/** The file that a fence shows as a whole: the line above the fence is its path. */
export const pathOf = ({ before }: Fence): string | undefined => /^`([\w./]+\.(?:ts|md))`:?$/.exec(before)?.[1]

/** The file to which a fence adds lines: the line above the fence ends with its path. */
export const additionTo = ({ before }: Fence): string | undefined => /\bline in `([\w./]+)`:$/.exec(before)?.[1]

/** Every Markdown file, but those of dependencies and what is generated. */
export const readPages = (): ReadonlyArray<Page> =>
  ["", "docs", "examples", "bench", "packages"].flatMap(markdownIn).map((path) =>
    readPage(path, readFileSync(join(root, path), "utf8"))
  )

/** What a page says of an output: `…` stands for what differs from run to run, and is filled in where that fits. */
export const asSaid = (said: string, output: string): string => {
  const parts = said.split("…").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
  return new RegExp(`^${parts.join("[^]*")}$`).test(output) ? output : said
}

// internals

const skipped = new Set(["node_modules", "dist", "results"])

const markdownIn = (folder: string): ReadonlyArray<string> => {
  const entries = readdirSync(join(root, folder), { withFileTypes: true })
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return folder === "" || skipped.has(entry.name) ? [] : markdownIn(path)
    return entry.name.endsWith(".md") ? [relative(root, join(root, path)).split(sep).join("/")] : []
  })
}

const readPage = (path: string, text: string): Page => {
  const fences: Array<Fence> = []
  const links: Array<Link> = []
  const anchors = new Set<string>()
  let open: { readonly mark: string; readonly fence: Omit<Fence, "text"> } | undefined
  let inside: Array<string> = []
  let before = ""
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^(`{3,})(\w*) *(.*)$/.exec(line)
    if (open !== undefined) {
      if (fence?.[1] !== open.mark) inside.push(line)
      else {
        fences.push({ ...open.fence, text: `${inside.join("\n")}\n` })
        open = undefined
        before = "```"
      }
    } else if (fence === null) {
      for (const [, address, title = ""] of line.matchAll(/\]\(([^)\s]+)(?:\s+"([^"]*)")?\)/g)) {
        const [path, anchor = ""] = address!.split("#")
        if (!/^[a-z]+:/.test(address!)) links.push({ path: path!, anchor, title, line: index + 1 })
      }
      const heading = /^#+\s+(.*)$/.exec(line)
      if (heading !== null) anchors.add(slug(heading[1]!))
      if (line.trim() !== "") before = line
    } else {
      const [, mark = "", language = "", remark = ""] = fence
      open = { mark, fence: { language, remark, line: index + 1, before } }
      inside = []
    }
  }
  return { path, fences, links, anchors }
}

/** A heading's anchor, as GitHub makes it. */
const slug = (heading: string): string =>
  heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s/g, "-")
