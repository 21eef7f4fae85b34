/**
 * The imports of source files as a graph, and the files that a file reaches through it. `import type` is erased before
 * a program runs. `import { type A }` is not: the module is loaded.
 */
import { posix } from "node:path"

/** A source file: its path, and its text. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** Whether an import loads the module when the program runs, or is for types only. */
export type Import = { readonly to: string; readonly isType: boolean }

/** The relative imports of each file. */
export type Graph = ReadonlyMap<string, ReadonlyArray<Import>>

/** The imports that count: those that load a module, or also those of types. */
export type Followed = "loads" | "types, too"

const statement = /^(?:import|export)\s+(type\s)?(?:[^;"']*?\sfrom\s+)?"(\.[^"\n]*)"/gm
const dynamic = /\bimport\(\s*()"(\.[^"\n]*)"/g
const comment = /\/\*[^]*?\*\/|^\s*\/\/.*$/gm

/** The graph of source files. Imports of packages are left out. */
export const graphOf = (sources: ReadonlyArray<Source>): Graph =>
  new Map(sources.map(({ path, text }) => {
    const code = text.replace(comment, "")
    const imports = [...code.matchAll(statement), ...code.matchAll(dynamic)].map(([, type, to]) => ({
      to: posix.join(posix.dirname(path), to!),
      isType: Boolean(type)
    }))
    return [path, imports]
  }))

/**
 * The files that a file reaches through its imports, each with the shortest way to it. A file reaches itself only
 * through a cycle.
 */
export const reachedFrom = (graph: Graph, from: string, followed: Followed): ReadonlyMap<string, string> => {
  const ways = new Map<string, string>()
  const follow = (file: string, way: string) => {
    const found = graph.get(file)!.filter(({ isType, to }) => (!isType || followed === "types, too") && !ways.has(to))
    for (const { to } of found) ways.set(to, `${way} → ${to}`)
  }
  follow(from, from)
  // The iteration also visits files that are added during it.
  for (const [file, way] of ways) follow(file, way)
  return ways
}

/** A border: the files of `from` must not reach the files of `to`. */
export interface Wall {
  readonly from: (file: string) => boolean
  readonly to: (file: string) => boolean
  readonly followed: Followed
}

/** The shortest way of each file that passes a wall. */
export const breaches = (graph: Graph, { followed, from, to }: Wall): ReadonlyArray<string> =>
  [...graph.keys()].filter(from).flatMap((file) =>
    [...reachedFrom(graph, file, followed)].filter(([reached]) => to(reached)).slice(0, 1).map(([, way]) => way)
  )

/** The shortest way of each file back to itself, type imports included. */
export const cycles = (graph: Graph): ReadonlyArray<string> =>
  [...graph.keys()].flatMap((file) => reachedFrom(graph, file, "types, too").get(file) ?? [])
