/**
 * The pages that are crawled, and the server that has them. It listens at a Unix socket, so every machine reaches it, and it
 * counts: what it has seen is the truth about what was fetched.
 */
import { Config, Effect, Schema } from "effect"
import { createServer, get, type ServerResponse } from "node:http"

const hosts = ["a.example", "b.example", "c.example", "d.example"]

/** Pages of each host. */
const pagesPerHost = 15

/** A page. */
export interface Page {
  readonly host: string
  readonly path: string
}

/** The page where a crawler begins. */
export const home: Page = { host: hosts[0]!, path: "/0" }

/** The name of a page. */
export const nameOf = ({ host, path }: Page): string => host + path

/** A page has a link to two others of its host, and one to the next host. */
export const linksOf = ({ host, path }: Page): ReadonlyArray<Page> => {
  const number = Number(path.slice(1))
  return [
    ...[2 * number + 1, 2 * number + 2].filter((next) => next < pagesPerHost).map((next) => ({
      host,
      path: `/${next}`
    })),
    { host: hosts[(hosts.indexOf(host) + 1) % hosts.length]!, path }
  ]
}

/** The names of all pages, as one process alone finds them. */
export const allPages = (): ReadonlyArray<string> => {
  const found = new Map([[nameOf(home), home]])
  for (const page of found.values()) for (const next of linksOf(page)) found.set(nameOf(next), next)
  return [...found.keys()]
}

/** A page could not be fetched. */
class NotFetched extends Schema.TaggedError<NotFetched>()("NotFetched", { message: Schema.String }) {}

/** Fetches a page; returns its links. The variable `WEB` has the path of the server's socket. */
export const fetchLinks = Effect.fnUntraced(function*({ host, path }: Page) {
  const socketPath = yield* Config.String("WEB")
  const body = yield* Effect.callback<string, NotFetched>((resume) => {
    const fail = (error: Error) => resume(Effect.fail(new NotFetched({ message: error.message })))
    const request = get({ socketPath, path, headers: { host } }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (part) => text += part).on("error", fail)
        .on("end", () => resume(Effect.succeed(text)))
    }).on("error", fail)
    return Effect.sync(() => request.destroy())
  })
  return JSON.parse(body) as ReadonlyArray<Page>
})

/** The server. */
export interface Web {
  /** How often each page was fetched, or was begun to be. */
  readonly fetches: ReadonlyMap<string, number>
  /** The pages whose fetch has ended in the middle, because the process that fetched them had ended. */
  readonly broken: ReadonlySet<string>
  /** The fetches that wait, while the server stands still. */
  readonly waiting: () => number
  /** Goes on. */
  readonly resume: () => void
}

/** Serves the pages. After `stillAfter` fetches it stands still until it is resumed. */
export const serve = (path: string, stillAfter: number) =>
  Effect.gen(function*() {
    const fetches = new Map<string, number>()
    const broken = new Set<string>()
    const waiting = new Map<ServerResponse, Page>()
    let answers = 0
    let isStill = true
    const answer = (response: ServerResponse, page: Page) => response.end(JSON.stringify(linksOf(page)))
    const server = createServer(({ headers, url }, response) => {
      const page = { host: headers.host ?? "", path: url ?? "" }
      const name = nameOf(page)
      fetches.set(name, (fetches.get(name) ?? 0) + 1)
      response.on("close", () => {
        waiting.delete(response)
        if (!response.writableFinished) broken.add(name)
      })
      if (isStill && answers === stillAfter) return waiting.set(response, page)
      answers++
      return answer(response, page)
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void server.listen(path, () => resume(Effect.void))),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    return {
      fetches,
      broken,
      waiting: () => waiting.size,
      resume: () => {
        isStill = false
        for (const [response, page] of waiting) answer(response, page)
      }
    } satisfies Web
  })
