/** What the programs of a run themselves know: which items there are, who got them, and who is under the gate. */
import type { Client } from "@effect-multiprocessing/core/testing"

/** One run's ledger, shared by all its clients, who are in one thread after all. */
export class Ledger {
  #items = 0
  readonly #taken = new Map<number, Client>()
  readonly #inside = new Set<Client>()
  readonly #slots: Array<{ readonly client: Client; readonly permits: number }> = []

  /** A new item, unlike any other. */
  item(): number {
    return ++this.#items
  }

  /** An item is somebody's for good. That happens once, unless the first has gone before it could say so (S-18). */
  took(item: number, client: Client): void {
    const first = this.#taken.get(item)
    if (first?.isLost() === false) throw new Error(`item ${item} went to ${first.name} and to ${client.name}`)
    if (!(item >= 1 && item <= this.#items)) throw new Error(`item ${item} was never offered`)
    this.#taken.set(item, client)
  }

  /** Somebody goes through the gate: nobody else may be inside, but clients that were killed or cut off. */
  enter(client: Client): void {
    const other = [...this.#inside].find((inside) => !inside.isLost())
    if (other !== undefined) throw new Error(`${client.name} went through the gate while ${other.name} was inside`)
    this.#inside.add(client)
  }

  leave(client: Client): void {
    this.#inside.delete(client)
  }

  /** Somebody has so many of the slots: together never more than there are, but of clients that were killed or cut off. */
  occupy(client: Client, permits: number, max: number): () => void {
    const slot = { client, permits }
    this.#slots.push(slot)
    const occupied = this.#slots.filter(({ client }) => !client.isLost()).reduce((sum, { permits }) => sum + permits, 0)
    if (occupied > max) throw new Error(`${client.name} is one of those who have ${occupied} of ${max} slots`)
    return () => this.#slots.splice(this.#slots.indexOf(slot), 1)
  }
}
