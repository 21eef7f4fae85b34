/** A user can import each public module by its name, and no other module. */
import * as SharedQueue from "@effect-multiprocessing/core/SharedQueue"
import { simulate } from "@effect-multiprocessing/core/testing"

console.log(`public: ${typeof SharedQueue.make}, ${typeof simulate}`)

const codeOf = (error: { readonly code?: string }) => error.code

// @ts-expect-error -- types that are not public cannot be imported, either
const engine: unknown = await import("@effect-multiprocessing/core/engine/Engine").catch(codeOf)
const others = ["proxy/Shared", "server/Server", "src/index.ts", "dist/index.js"].map((path): Promise<unknown> =>
  import(`@effect-multiprocessing/core/${path}`).catch(codeOf)
)
console.log(new Set([engine, ...await Promise.all(others)]))
