/** The keys and values of all contestants. `peers/python_manager.py` has the same in Python. */

/** Keys of eight bytes. */
export const keys: ReadonlyArray<string> = Array.from({ length: 1_000 }, (_, i) => `key-${String(i).padStart(4, "0")}`)

/** A value of 32 bytes. */
export const value = "0123456789abcdef".repeat(2)

/** The key of a call. Callers iterate over all keys, each from its own start. */
export const keyAt = (position: number): string => keys[position % keys.length]!
