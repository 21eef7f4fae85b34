/** The oldest Node that this package runs on: its `package.json` names it, too. */

const oldest = [22, 19] as const

/** The sentence for a person whose Node is too old; absent if it is new enough. Bun and Deno report a version of Node. */
export const complaint = (version: string): string | undefined => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return undefined
  return `this is Node ${version}, but @effect-multiprocessing/node needs Node ${oldest.join(".")} or newer`
}

/** The complaint about this process. */
export const complaintHere: string | undefined = complaint(process.versions.node)
