/**
 * A bad network between clients and a server of this machine: it cuts, delays and stalls what it carries, encrypted or not.
 */
import { Random } from "@effect-multiprocessing/core/testing"
import { Effect, type Scope } from "effect"
import * as Net from "node:net"

/** One connection through the network. */
interface Pair {
  readonly client: Net.Socket
  readonly server: Net.Socket
  /** Bytes that it carries before it is cut. */
  left: number
}

/** A network, and what it does. */
export interface FaultyProxy {
  /** Where clients connect. */
  readonly port: number
  /** The number of connections that were cut. */
  readonly cuts: () => number
  /** From now on each connection is cut after a random number of bytes, wherever in a frame that is; 0: none is. */
  readonly cutAfter: (bytesMax: number) => void
  /** Cuts all connections. The server notices first: the clients do when `heal` is called. */
  readonly cutServerEnds: () => void
  readonly heal: () => void
  /** What passes from now on: all, only what clients send, or nothing. Nobody is told of the rest, which passes later. */
  readonly pass: (what: "all" | "requests" | "nothing") => void
  /** What is connected now carries nothing any more, and nobody is told. */
  readonly abandon: () => void
  /** Whether all connections are closed, those that are there and later ones. */
  readonly refuse: (isRefused: boolean) => void
  /** Cuts all connections. Later ones lead to another port or socket. */
  readonly lead: (target: number | string) => void
}

/** A connection carries its handshake, or no client could ever connect. */
const handshakeBytes = 8_000

/**
 * Makes a network to a port or to the path of a socket, for the life of the scope. Its faults follow the seed, and the bytes
 * that pass.
 */
export const makeFaultyProxy = (first: number | string, seed: number): Effect.Effect<FaultyProxy, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly proxy: FaultyProxy; readonly close: Effect.Effect<void> }>((resume) => {
      const random = new Random(seed)
      const pairs = new Set<Pair>()
      const abandoned = new Set<Pair>()
      let cuts = 0
      let bytesMax = 0
      let target = first
      let passing: Parameters<FaultyProxy["pass"]>[0] = "all"
      let isRefused = false
      const draw = () => bytesMax === 0 ? Infinity : handshakeBytes + random.below(bytesMax)
      const cut = (pair: Pair) => {
        if (!pairs.delete(pair)) return
        cuts++
        pair.client.destroy()
        pair.server.destroy()
      }
      const carry = (pair: Pair, from: Net.Socket, to: Net.Socket) => {
        const underWay: Array<Uint8Array> = []
        const deliver = () => {
          for (const bytes of underWay.splice(0)) if (!to.destroyed) to.write(bytes)
          if (pair.left === 0) cut(pair)
        }
        from.on("data", (chunk: Uint8Array) => {
          const part = chunk.subarray(0, pair.left)
          pair.left -= part.length
          underWay.push(part)
          if (underWay.length === 1) setTimeout(deliver, random.below(3))
        })
        from.on("error", () => {})
        from.on("close", () => {
          if (!pairs.has(pair)) return
          deliver()
          to.destroySoon()
        })
      }
      const admit = ({ client, server }: Pair) => {
        if (passing === "nothing") client.pause()
        else client.resume()
        if (passing === "all") server.resume()
        else server.pause()
      }
      const listener = Net.createServer((client) => {
        if (isRefused) return void client.destroy()
        const server = typeof target === "number" ? Net.connect(target, "127.0.0.1") : Net.connect(target)
        const pair: Pair = { client, server, left: draw() }
        pairs.add(pair)
        carry(pair, client, server)
        carry(pair, server, client)
        admit(pair)
      })
      listener.listen(0, "127.0.0.1", () => {
        const proxy: FaultyProxy = {
          port: (listener.address() as Net.AddressInfo).port,
          cuts: () => cuts,
          cutAfter: (bytes) => {
            bytesMax = bytes
            for (const pair of pairs) pair.left = draw()
          },
          cutServerEnds: () => {
            for (const { client, server } of pairs) {
              client.pause()
              server.destroy()
            }
          },
          heal: () => pairs.forEach(cut),
          pass: (what) => {
            passing = what
            pairs.forEach(admit)
          },
          abandon: () => {
            for (const pair of pairs) {
              pair.client.pause()
              pair.server.pause()
              abandoned.add(pair)
            }
            pairs.clear()
          },
          refuse: (refused) => {
            isRefused = refused
            if (refused) pairs.forEach(cut)
          },
          lead: (other) => {
            target = other
            pairs.forEach(cut)
          }
        }
        const close = Effect.callback<void>((closed) => {
          pairs.forEach(cut)
          for (const { client, server } of abandoned) [client, server].forEach((socket) => socket.destroy())
          listener.close(() => closed(Effect.void))
        })
        resume(Effect.succeed({ proxy, close }))
      })
    }),
    ({ close }) => close
  ).pipe(Effect.map(({ proxy }) => proxy))
