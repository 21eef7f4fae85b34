/** The kinds of the standard manager: those of the registry. */
import type { AnyKind } from "../Kind.ts"
import * as registry from "./registry.ts"

/** Every registered kind. */
export const kinds: ReadonlyArray<AnyKind> = Object.values(registry)
