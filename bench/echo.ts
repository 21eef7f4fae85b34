/** An actor that returns what it is given. */
import { Actor } from "@effect-multiprocessing/core"
import * as Schema from "effect/Schema"

/** Its host is a process of its own (`actorHost.ts`). */
export class Echo extends Actor.Service<Echo>()("bench/Echo", {
  methods: { echo: Actor.method({ payload: Schema.Int, success: Schema.Int }) }
}) {}
