/** A value that bears a handle: a number without a name, which lives as long as something refers to it. */
import * as Schema from "effect/Schema"
import * as SharedRef from "../../SharedRef.ts"

const options = { schema: Schema.Int, initial: 0 }

/** Opens a new number. */
export const makeHandle = SharedRef.make(options)

/** Its handle as a value. */
export const Handle = SharedRef.schema(options.schema)
