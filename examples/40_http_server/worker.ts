import { NodeManager } from "@effect-multiprocessing/node"
import { Effect } from "effect"
import { Tasks } from "./shared.ts"

const tasks = Tasks.toLayer({
  Sum: ({ terms }) =>
    Effect.sync(() => {
      let sum = 0
      for (let n = 0; n < terms; n++) sum += (n % 2 === 0 ? 4 : -4) / (2 * n + 1)
      return sum
    })
})

NodeManager.runMain(Effect.die("this file is only for workers"), { tasks })
