/** Node's compile cache. The processes of a program load the same modules, so the first one compiles them for all. */
import { existsSync } from "node:fs"
import { tmpdir } from "node:os"

/** Deno has none. An import by this name would fail there. */
const { enableCompileCache }: { readonly enableCompileCache?: () => void } = process.getBuiltinModule("node:module")

/**
 * Keeps what is compiled from now on, and uses what was kept. Enabling the cache would create a missing folder for
 * temporary files, which this package must not do.
 */
export const enable = (): void => {
  if (existsSync(tmpdir())) enableCompileCache?.()
}
