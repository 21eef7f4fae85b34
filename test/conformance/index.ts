/** Every suite, for one deployment of a manager. */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { sample } from "../support/budget.ts"
import { specimenSuite } from "./specimens.ts"
import type { Deployment, Suite } from "./suite.ts"

/** The suites that are written by hand, each the only export of its file. */
const suites = await Promise.all(
  readdirSync(join(import.meta.dirname, "suites")).map(async (file): Promise<Suite> =>
    Object.values<Suite>(await import(`./suites/${file.replace(/\.ts$/, "")}.ts`))[0]!
  )
)

const all: ReadonlyArray<Suite> = [...suites, specimenSuite]

/** Runs all suites on a manager. */
export const conformance = (deployment: Deployment): void => all.forEach((suite) => suite(deployment))

/** Runs some suites on a manager that differs from one in memory in a layer below all types: a transport, or a log. */
export const sampledConformance = (deployment: Deployment): void => sample(all).forEach((suite) => suite(deployment))
