/** The measured machine, and the versions of its programs. */
import { spawnSync } from "node:child_process"
import { cpus, release, totalmem, type as system } from "node:os"

/** The properties that a rate depends on. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  /** Absent if it is not installed. */
  readonly python: string | undefined
  readonly redis: string | undefined
}

/** This machine. */
export const machine = (): Machine => ({
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  kernel: `${system()} ${release()}`,
  node: process.versions.node,
  python: version("python3"),
  redis: version("redis-server")
})

/** The first number with dots in a program's output of its version. */
const version = (program: string): string | undefined =>
  /\d+(?:\.\d+)+/.exec(spawnSync(program, ["--version"], { encoding: "utf8" }).stdout ?? "")?.[0]
