/** The models of the standard kinds. */
import { specimens } from "./kinds/index.ts"
import type { MakeModel } from "./kinds/Model.ts"

/** The model of each kind, by the name of the kind. */
export const models: Readonly<Record<string, MakeModel>> = Object.fromEntries(
  specimens.map(({ kind, model }) => [kind.name, model])
)
