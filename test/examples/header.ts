/**
 * The output of an example according to its header.
 *
 * The first comment of an example shows, indented, a command and its standard output:
 *
 *     $ npm run example examples/NN_name.ts ARGUMENT
 *     a line as it is printed
 *     got <value>
 *     ~ these lines
 *     ~ in any order
 *
 * `<name>` is some text without spaces, the same text wherever it stands within one command's output. Lines beginning
 * with `~` that follow one another are printed in any order.
 */

/** A command and its output. */
export interface Run {
  readonly args: ReadonlyArray<string>
  readonly lines: ReadonlyArray<string>
}

/** The commands in the header of an example. */
export const runsOf = (source: string): ReadonlyArray<Run> => {
  const [header = ""] = /^\/\*\*[^]*?\*\//.exec(source) ?? []
  const runs: Array<{ readonly args: ReadonlyArray<string>; readonly lines: Array<string> }> = []
  for (const [, line] of header.matchAll(/^ \* {5}(.*)$/gm)) {
    const command = /^\$ npm run example \S+ ?(.*)$/.exec(line!)
    if (command !== null) runs.push({ args: command[1]!.split(" ").filter((arg) => arg !== ""), lines: [] })
    else runs.at(-1)?.lines.push(line!)
  }
  return runs
}

/** Whether the expected lines match an output. */
export const matches = (expected: ReadonlyArray<string>, output: string): boolean =>
  output.endsWith("\n") && follows(expected, output.slice(0, -1).split("\n"), new Map())

// internals

type Names = ReadonlyMap<string, string>

const follows = (expected: ReadonlyArray<string>, lines: ReadonlyArray<string>, names: Names): boolean => {
  const [line, ...rest] = lines
  if (line === undefined) return expected.length === 0
  return nextOf(expected).some((i) => {
    const bound = bind(expected[i]!.replace(/^~ /, ""), line, names)
    return bound !== undefined && follows(expected.toSpliced(i, 1), rest, bound)
  })
}

/** The expected lines that may come next. */
const nextOf = (expected: ReadonlyArray<string>): ReadonlyArray<number> => {
  if (expected.length === 0) return []
  const end = expected.findIndex((line) => !line.startsWith("~ "))
  return end === 0 ? [0] : [...(end === -1 ? expected : expected.slice(0, end)).keys()]
}

/** The names with those that this line adds. Undefined if the line does not match. */
const bind = (expected: string, line: string, names: Names): Names | undefined => {
  const parts = expected.split(/<(\w+)>/)
  const own = parts.filter((_, i) => i % 2 === 1)
  const pattern = parts.map((part, i) => i % 2 === 0 ? part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&") : "(\\S+?)").join("")
  const found = new RegExp(`^${pattern}$`).exec(line)
  if (found === null) return undefined
  const bound = new Map(names)
  for (const [i, name] of own.entries()) {
    if ((bound.get(name) ?? found[i + 1]) !== found[i + 1]) return undefined
    bound.set(name, found[i + 1]!)
  }
  return bound
}
