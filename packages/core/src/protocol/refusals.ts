/** Why a server may refuse a handshake. */
export const refusals = [
  "WrongKey",
  "NoRole",
  "WrongVersion",
  "TooManySessions",
  "TooManyHandshakes",
  "Malformed",
  "SessionLost",
  "WrongSecret",
  "LogDamaged"
] as const
