/**
 * Node's options for the children of this process: those of this process, without those that do not concern them. They
 * come from two places, the command line and the variable NODE_OPTIONS.
 */

/** Options that say what to run, or to run it in another way than once: a child runs its own file, once. */
const program = /^(?:-e|--eval|-p|-pe|--print|-i|--interactive|-c|--check|--input-type|--run|--test|--watch)(?:[-=]|$)/

/** Only one process can use the debugger's port. */
const inspect = /^--inspect(?:-brk|-wait)?(?:=|$)/

/** Options that load code of the user. */
const loading = /^(?:-r|--require|--import|--loader|--experimental-loader|--env-file|--env-file-if-exists)(?:=|$)/

/** Options without those that match. A value that stands alone belongs to the option before it. */
const without = (options: ReadonlyArray<string>, ...patterns: ReadonlyArray<RegExp>): ReadonlyArray<string> => {
  let isDropped = false
  return options.filter((option) => {
    if (option.startsWith("-")) isDropped = patterns.some((pattern) => pattern.test(option))
    return !isDropped
  })
}

/** NODE_OPTIONS without those that match. A value in quotes stays as it is. */
const variable = (...patterns: ReadonlyArray<RegExp>): string => {
  const options = (process.env["NODE_OPTIONS"] ?? "").match(/(?:"(?:[^"\\]|\\.)*"|[^\s"])+/g) ?? []
  return without(options, ...patterns).join(" ")
}

/** A child gets any free port for a debugger, whatever makes it listen. */
const anyPort = "--inspect-port=0"

/** Options and environment of Node in a worker. It listens for a debugger if this process does, and prints its port. */
export const ofWorker = () => ({
  args: [
    ...without(process.execArgv, program, inspect),
    anyPort,
    ...process.execArgv.some((option) => inspect.test(option)) ? ["--inspect"] : []
  ],
  environment: { NODE_OPTIONS: variable(program) }
})

/** Options and environment of Node in the manager's process, which runs no code of the user. */
export const ofManager = () => ({
  args: [...without(process.execArgv, program, inspect, loading), anyPort],
  environment: { NODE_OPTIONS: variable(program, loading) }
})
