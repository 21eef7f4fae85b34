/**
 * The frontier of a crawler: the pages that wait to be visited, each of which is visited once. A host gets a visit every
 * `politenessMs` at most, however many processes crawl.
 */
import { Kind, SharedObject } from "@effect-multiprocessing/core"
import { Schema } from "effect"

/** Every page that was added has been visited. */
export class Finished extends Schema.TaggedError<Finished>()("Finished", {}) {}

const Page = Schema.Struct({ host: Schema.String, path: Schema.String })

type Page = typeof Page.Type

const keyOf = ({ host, path }: Page): string => host + path

const State = Schema.Struct({
  politenessMs: Schema.Int,
  waiting: Schema.Array(Page),
  /** The pages that are being visited, by the index of the hold. */
  visiting: Schema.Record(Schema.String, Page),
  seen: Schema.Record(Schema.String, Schema.Literal(true)),
  /** When a host may be visited again. */
  restUntil: Schema.Record(Schema.String, Schema.Number),
  /** The times of all visits, by host. */
  visits: Schema.Record(Schema.String, Schema.Array(Schema.Number))
})

/** The kind of a frontier. */
export const Frontier = Kind.make("crawler/Frontier", {
  state: State,
  options: Schema.Struct({ politenessMs: Schema.Int }),
  initial: ({ politenessMs }) => ({ politenessMs, waiting: [], visiting: {}, seen: {}, restUntil: {}, visits: {} }),
  operations: {
    /** Adds the pages that were never added. Returns how many these were. */
    add: Kind.change({ payload: { pages: Schema.Array(Page) }, success: Schema.Int }),
    /** Waits for a page whose host may be visited, and holds it until it has been visited. */
    next: Kind.hold({ success: Page, error: Finished })
  },
  transitions: {
    add: (state, { pages }) => {
      const fresh = pages.filter((page) => !Object.hasOwn(state.seen, keyOf(page)))
      const seen = Object.fromEntries(fresh.map((page) => [keyOf(page), true] as const))
      return Kind.reply(
        { ...state, waiting: [...state.waiting, ...fresh], seen: { ...state.seen, ...seen } },
        fresh.length
      )
    },
    next: (state, _, { index, now }) => {
      const { politenessMs, restUntil, visiting, visits, waiting } = state
      if (waiting.length === 0) {
        // A page that is being visited may have links, and one whose process dies comes back.
        return Object.keys(visiting).length === 0 ? Kind.fail(new Finished()) : Kind.wait
      }
      const readyAt = ({ host }: Page): number => restUntil[host] ?? 0
      const page = waiting.find((page) => readyAt(page) <= now)
      if (page === undefined) return Kind.waitUntil(Math.min(...waiting.map(readyAt)))
      return Kind.reply({
        ...state,
        waiting: waiting.filter((other) => other !== page),
        visiting: { ...visiting, [index]: page },
        restUntil: { ...restUntil, [page.host]: now + politenessMs },
        visits: { ...visits, [page.host]: [...visits[page.host] ?? [], now] }
      }, page)
    }
  },
  released: {
    next: (state, { index, reason }) => {
      const { [index]: page, ...visiting } = state.visiting
      // A process that has died did not finish the visit.
      return reason === "released" || page === undefined
        ? { ...state, visiting }
        : { ...state, visiting, waiting: [page, ...state.waiting] }
    }
  },
  invariants: {
    "no host is visited too soon": ({ politenessMs, visits }) =>
      Object.values(visits).every((times) => times.every((time, i) => i === 0 || time - times[i - 1]! >= politenessMs)),
    "a page waits or is visited once": ({ visiting, waiting }) => {
      const pages = [...waiting, ...Object.values(visiting)].map(keyOf)
      return new Set(pages).size === pages.length
    }
  }
})

/** The frontier of this program. */
export class TheFrontier
  extends SharedObject.Service<TheFrontier>()("crawler/TheFrontier", Frontier, { options: { politenessMs: 50 } })
{}
