/**
 * The crawler on a machine. Without an argument it has a manager of its own, as every other example. With one, which is JSON,
 * its manager is that of a realm, and this machine is a candidate for it.
 */
import { NodeManager } from "@effect-multiprocessing/node"
import { PostgresManager } from "@effect-multiprocessing/postgres"
import { Redacted } from "effect"
import { TheFrontier } from "../28_crawler/frontier.ts"
import { main, tasks } from "./crawler.ts"

/** What a machine is told. */
export interface Told {
  /** PostgreSQL. */
  readonly url: string
  readonly realm: string
  readonly key: string
  /** The machine's own address. */
  readonly host: string
}

const kinds = [TheFrontier]

const layerRealm = ({ host, key, realm, url }: Told) =>
  PostgresManager.layer({
    realm,
    url: Redacted.make(url),
    key: Redacted.make(key),
    kinds,
    listen: { host, port: 0 },
    // The cable is private.
    allowUnencrypted: true,
    // Short, so that a reader need not wait long.
    lease: "1 second",
    heartbeat: "250 millis",
    reconnect: { grace: "5 seconds" }
  })

const [, , told] = process.argv

NodeManager.runMain(main, { tasks, kinds, manager: told === undefined ? undefined : layerRealm(JSON.parse(told)) })
