/** Cuts the output of a child into lines. The reading goes on whatever the child writes: a full pipe would stop it. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Characters of a line, at most. The others are dropped, and counted. */
export const lineLengthMax = 1024 * 1024

/** Joins the pieces of text that arrive, and hands over each line. */
class Lines {
  #line = ""
  #dropped = 0
  #endsInReturn = false

  /** The lines that end in this piece. */
  push(text: string): ReadonlyArray<string> {
    // A return and a new line may be in two pieces.
    const parts = (this.#endsInReturn && text.startsWith("\n") ? text.slice(1) : text).split(/\r\n|\n|\r/)
    if (text !== "") this.#endsInReturn = text.endsWith("\r")
    const last = parts.pop()!
    const lines = parts.map((part) => {
      this.#append(part)
      return this.#take()
    })
    this.#append(last)
    return lines
  }

  /** The line that the end of the text ends, unless it is empty. */
  end(): ReadonlyArray<string> {
    return this.#line === "" ? [] : [this.#take()]
  }

  #append(part: string): void {
    const kept = part.slice(0, lineLengthMax - this.#line.length)
    this.#line += kept
    this.#dropped += part.length - kept.length
  }

  #take(): string {
    const line = this.#dropped === 0 ? this.#line : `${this.#line}… (${this.#dropped} more characters)`
    this.#line = ""
    this.#dropped = 0
    return line
  }
}

/** Runs an effect for each line of a stream, until the stream ends. What the effect does wrong does not stop it. */
export const forEachLine = <E>(
  stream: Stream.Stream<Uint8Array, E>,
  print: (line: string) => Effect.Effect<void>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const lines = new Lines()
    const printAll = (lines: ReadonlyArray<string>) =>
      Effect.forEach(lines, (line) => Effect.exit(print(line)), { discard: true })
    return stream.pipe(
      Stream.decodeText,
      Stream.runForEach((text) => printAll(lines.push(text))),
      Effect.ignore,
      Effect.andThen(Effect.suspend(() => printAll(lines.end())))
    )
  })
