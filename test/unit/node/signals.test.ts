/** What a main program does when Ctrl-C is pressed. The signals and the time are the test's. */
import * as Signals from "#node/signals.ts"
import { afterEach, assert, it, vi } from "vitest"

afterEach(() => void vi.restoreAllMocks())

/** The handlers of a program that handles signals. */
const handlers = () => {
  const on = vi.spyOn(process, "on").mockImplementation(() => process)
  Signals.handle(() => [])
  const found = Object.fromEntries(on.mock.calls.map(([signal, handler]) => [String(signal), handler as () => void]))
  on.mockRestore()
  return found
}

it("signals within half a second count as one Ctrl-C, and a later one ends the program at once", () => {
  vi.useFakeTimers()
  const exit = vi.spyOn(process, "exit").mockImplementation(() => undefined as never)
  const now = vi.spyOn(performance, "now")
  const { SIGINT } = handlers()
  for (const time of [1_000, 1_000, 1_499]) {
    now.mockReturnValue(time)
    SIGINT!()
  }
  assert.deepStrictEqual(exit.mock.calls, [])
  now.mockReturnValue(1_500)
  SIGINT!()
  assert.deepStrictEqual(exit.mock.calls, [[130]])
  vi.useRealTimers()
})
