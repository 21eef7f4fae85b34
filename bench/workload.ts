/** What is written and read: the same for everyone. `peers/python_manager.py` has it in Python's words. */

/** Keys of eight bytes. */
export const keys: ReadonlyArray<string> = Array.from({ length: 1_000 }, (_, i) => `key-${String(i).padStart(4, "0")}`)

/** A value of 32 bytes. */
export const value = "0123456789abcdef".repeat(2)

/** The key of a call: the callers walk through all of them, each from its own start. */
export const keyAt = (position: number): string => keys[position % keys.length]!
