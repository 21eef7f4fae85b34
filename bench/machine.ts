/** The machine that was measured on, and what ran on it. */
import { spawnSync } from "node:child_process"
import { cpus, release, totalmem, type as system } from "node:os"

/** What a rate depends on. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  /** Absent: not installed. */
  readonly python: string | undefined
  readonly redis: string | undefined
}

/** This one. */
export const machine = (): Machine => ({
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  kernel: `${system()} ${release()}`,
  node: process.versions.node,
  python: version("python3"),
  redis: version("redis-server")
})

/** The first number with dots in what a program says of its version. */
const version = (program: string): string | undefined =>
  /\d+(?:\.\d+)+/.exec(spawnSync(program, ["--version"], { encoding: "utf8" }).stdout ?? "")?.[0]
