/** Bundles the program that the tests of PostgreSQL start. */
import { join } from "node:path"
import { bundle } from "./bundlePrograms.ts"

/** Before the tests. */
export const setup = (): Promise<void> => bundle([join(import.meta.dirname, "../chaos/candidate.ts")])
