/** The received sequences, joined to ranges: replies may come in any order (S-8). */
export class Receipts {
  readonly #write: (from: number, to: number) => void
  #from = 0
  #to = -1

  constructor(write: (from: number, to: number) => void) {
    this.#write = write
  }

  add(sequence: number): void {
    if (sequence !== this.#to + 1) {
      this.flush()
      this.#from = sequence
    }
    this.#to = sequence
  }

  /** Writes the range that has not been written yet. */
  flush(): void {
    if (this.#to >= this.#from) this.#write(this.#from, this.#to)
    this.#from = 0
    this.#to = -1
  }
}
