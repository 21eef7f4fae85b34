/** A module for `emp serve --kinds`. */
import { Stack } from "../support/ownKinds.ts"

export const kinds = [Stack]
