// Rules of the repository that no other tool can check.
import { readdirSync, readFileSync } from "node:fs"
import { join, relative, sep } from "node:path"
import { assert, describe, it } from "vitest"

interface Lock {
  readonly packages: Record<string, { readonly optionalDependencies?: Record<string, string> }>
}

const root = join(import.meta.dirname, "../..")
const skipped = new Set([".git", "node_modules", "dist", "coverage", "results"])
const binary = /\.(?:png|gif|jpg|webp|ico|wasm|gz|tsbuildinfo)$/

const walk = (folder: string): Array<string> =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    // In a worktree of git, .git is a file.
    if (skipped.has(entry.name)) return []
    if (entry.isDirectory()) return walk(path)
    return entry.isFile() && !binary.test(entry.name) ? [path] : []
  })

const files = walk(root).map((path) => ({
  path: relative(root, path).split(sep).join("/"),
  text: readFileSync(path, "utf8")
}))
const texts = files.filter(({ path }) => path !== "package-lock.json")
const sources = files.filter(({ path }) => /^packages\/[^/]+\/src\/.*\.ts$/.test(path))

/** The text with the contents of comments and strings replaced by spaces. Lines keep their numbers. */
const code = (text: string) =>
  text.replace(
    /\/\*[^]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[^])*`/g,
    (match) => match.replace(/[^\n]/g, " ")
  )

/** `path:line` of every match. */
const find = (among: ReadonlyArray<{ path: string; text: string }>, pattern: RegExp) =>
  among.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : []))
  )

describe("library sources", () => {
  const stripped = sources.map(({ path, text }) => ({ path, text: code(text) }))
  const banned: Record<string, RegExp> = {
    "try statement": /(?<![.\w])try\s*\{/,
    "catch clause": /\}\s*catch\s*[({]/,
    "async": /(?<![.\w])async(?=\s*[*(\w])/,
    "await": /(?<![.\w])await\b(?!:)/,
    "Date.now": /\bDate\s*\.\s*now\b/,
    "new Date()": /\bnew\s+Date\s*(?:\(\s*\)|(?!\s*\())/,
    "Math.random": /\bMath\s*\.\s*random\b/
  }
  for (const [name, pattern] of Object.entries(banned)) {
    it(`no ${name}`, () => assert.deepStrictEqual(find(stripped, pattern), []))
  }

  it("no file over 500 lines", () => {
    const long = sources.filter(({ text }) => text.trimEnd().split("\n").length > 500)
    assert.deepStrictEqual(long.map(({ path }) => path), [])
  })
})

describe("repository", () => {
  it("leaves nothing to do in comments", () => {
    assert.deepStrictEqual(find(texts, /\b(?:T[O]DO|F[I]XME|X{3})\b/), [])
  })

  it("names no folder of a developer's machine", () => {
    assert.deepStrictEqual(find(texts, /(?<![\w.~*-])\/(?:w[o]rk|h[o]me|U[s]ers|r[o]ot|t[m]p\/try)\//), [])
  })

  it("locks versions, not download addresses", () => {
    const lock = files.filter(({ path }) => path === "package-lock.json")
    assert.deepStrictEqual(find(lock, /"resolved": "[^"]*:/), [])
  })

  // npm omits packages that a registry mirror does not have, and `npm ci` then fails everywhere.
  it("locks the packages of every platform", () => {
    const { packages }: Lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"))
    const wanted = Object.values(packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
    assert.deepStrictEqual(wanted.filter((name) => packages[`node_modules/${name}`] === undefined), [])
  })
})
