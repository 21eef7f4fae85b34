/**
 * A record object (`engine/kinds/record.ts`) as a client knows it, and how its entries are encoded.
 */
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { map, namespace, openNamespace, ref } from "../engine/kinds/record.ts"
import type { Cell } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import type { Remote } from "./Remote.ts"
import type { ValueCodec } from "./ValueCodec.ts"

/** An open record: its entries come and go. */
export type OpenRemote = Remote<typeof map | typeof openNamespace>

/** A record, closed or open. */
export type RecordRemote = Remote<typeof ref | typeof namespace | typeof map | typeof openNamespace>

/** Encodes and decodes an entry; an absent entry is `null`. */
export interface EntryCodec<A> {
  readonly encode: (value: A) => Exit.Exit<Cell | null, ManagerError>
  readonly decode: (cell: Cell | null) => Exit.Exit<A, ManagerError>
}

/** The codec of an entry that may be absent. */
export const optionalCodec = <A>(
  remote: RecordRemote,
  operation: string,
  codec: ValueCodec<A>
): EntryCodec<Option.Option<A>> => ({
  encode: Option.match({
    onNone: () => Exit.succeed(null),
    onSome: (value) => remote.encodeCanonical(operation, codec, value)
  }),
  decode: (cell) =>
    cell === null ? Exit.succeed(Option.none()) : Exit.map(remote.decode(operation, codec, cell), Option.some)
})
