/** An object of an own kind as its proxies know it: at run time the manager tells its operations. */
import type { Kind } from "../engine/Kind.ts"
import type { Operation } from "../engine/Operation.ts"
import type { Parameter } from "../engine/Parameter.ts"
import type { Argument } from "../engine/Value.ts"
import type { Remote } from "./Remote.ts"

/** Any own kind. */
export type OwnKind = Kind<
  unknown,
  Readonly<Record<string, Operation<unknown, ReadonlyArray<Argument>, ReadonlyArray<Argument>, string>>>,
  string,
  { readonly options: Parameter<string> }
>

/** An object of an own kind. */
export type OwnRemote = Remote<OwnKind>
