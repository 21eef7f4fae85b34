/**
 * Several named values between processes, each a ref of its own, read and written together or one by one: Python's
 * `Namespace`, declared. With names that nobody declares: `SharedOpenNamespace`.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { format } from "effect/Formatter"
import type * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { namespace } from "./engine/kinds/record.ts"
import type { Argument, Cell } from "./engine/Value.ts"
import type { ManagerError } from "./ManagerError.ts"
import { all } from "./proxy/exits.ts"
import * as Field from "./proxy/Field.ts"
import { first } from "./proxy/first.ts"
import type { Manager } from "./proxy/Manager.ts"
import * as Shared from "./proxy/Shared.ts"
import * as ValueCodec from "./proxy/ValueCodec.ts"

/** The schemas of a namespace's fields. */
export type Fields = Readonly<Record<string, Schema.Top>>

/** The values of a namespace's fields. */
export type Values<F extends Fields> = { readonly [K in keyof F]: F[K]["Type"] }

/** Several named values between processes. */
export interface SharedNamespace<F extends Fields> extends Shared.Shared {
  /** Each field as a ref; a number's can be added to. */
  readonly fields: { readonly [K in keyof F]: Field.FieldOf<F[K]> }
  /** All values, of one instant. */
  readonly get: Effect.Effect<Values<F>, ManagerError>
  /** Sets some values in one step: nobody sees a part of them. */
  readonly set: (values: Partial<Values<F>>) => Effect.Effect<void, ManagerError>
  /** All values now, then again whenever one of them changes. A reader that falls behind skips to the current ones. */
  readonly changes: Stream.Stream<Values<F>, ManagerError>
  /** Waits until the values satisfy the predicate, and answers them (see `SharedRef.until`). */
  readonly until: (is: Predicate.Predicate<Values<F>>) => Effect.Effect<Values<F>, ManagerError>
}

/** What a namespace is made with. */
export interface Options<F extends Fields> {
  readonly fields: F
  /** The first values. Whoever opens the name first sets them (S-27). */
  readonly initial: Values<F>
}

const kind = "Namespace"

type Services<F extends Fields> = F[keyof F]["DecodingServices"] | F[keyof F]["EncodingServices"]

type Codecs = Readonly<Record<string, ValueCodec.ValueCodec<unknown>>>

const facade = <F extends Fields>(
  fields: F
): Shared.Facade<SharedNamespace<F>, typeof namespace, Codecs, Services<F>> => {
  const names = namesOf(fields)
  return {
    kind,
    values: {
      fingerprint: names.map((name) => `${name}: ${ValueCodec.fingerprint(fields[name]!)}`).join(", "),
      // The services of a mapped type's members are those of its union, which TypeScript does not follow.
      codecs: Effect.all(
        Object.fromEntries(names.map((name) => [name, ValueCodec.make(fields[name]!)]))
      ) as Effect.Effect<Codecs, never, Services<F>>
    },
    proxy: (remote, codecs) => proxy<F>(remote, codecs)
  }
}

const creation = <F extends Fields>({ fields, initial }: Options<F>): Shared.Creation<typeof namespace, Codecs> => ({
  options: Object.fromEntries(namesOf(fields).map((name) => [name, Field.arithmeticOption(fields[name]!)])),
  initial: (codecs) => all(namesOf(fields).map((name) => codecs[name]!.encodeCanonical(initial[name as keyof F])))
})

/**
 * The names in the one order that the values have, too: whatever order they are written in, an object's keys come with
 * those that look like numbers first, by size.
 */
const namesOf = (fields: Fields): ReadonlyArray<string> =>
  Object.keys(Object.fromEntries(Object.keys(fields).sort().map((name) => [name, true])))

/** Names a namespace as a service. */
export const Service = <Self>() => <const Id extends string, const F extends Fields>(id: Id, options: Options<F>) =>
  Shared.service<Self>()(id, facade(options.fields), creation(options))

/** Opens a namespace by name, or makes one without a name, for the life of the scope. */
export const make = <const F extends Fields>(
  options: Options<F> & { readonly name?: string | undefined }
): Effect.Effect<SharedNamespace<F>, Shared.OpenError, Manager | Scope.Scope | Services<F>> =>
  Shared.open(facade(options.fields), creation(options), options.name)

/** A namespace's handle as a value. */
export const schema = <const F extends Fields>(fields: F): Shared.HandleSchema<SharedNamespace<F>, Services<F>> =>
  Shared.handleSchema(facade(fields))

/** Whether something is a namespace. */
export const isSharedNamespace = (u: unknown): u is SharedNamespace<Fields> => Shared.isShared(kind)(u)

/** Values as people read them, by name: `Namespace(main=55, task1=0.25)`. */
export const render = (values: Readonly<Record<string, unknown>>): string =>
  `Namespace(${Object.keys(values).sort().map((name) => `${name}=${format(values[name])}`).join(", ")})`

// internals

const proxy = <F extends Fields>(remote: Field.RecordRemote, codecs: Codecs): SharedNamespace<F> => {
  const fields = Object.fromEntries(
    Object.entries(codecs).map(([name, codec]) => [name, Field.make(remote, name, codec)])
  ) as unknown as SharedNamespace<F>["fields"]
  const decode = (operation: string) => (parts: ReadonlyArray<Argument>) =>
    decoded<F>(remote, operation, codecs, parts, {})
  const changes = remote.notifications.pipe(
    Stream.mapAccumEffect(
      () => ({}) as Partial<Values<F>>,
      (known, { parts }) =>
        Effect.map(decoded<F>(remote, "changes", codecs, parts, known), (values) => [values, [values]] as const)
    )
  )
  return {
    [Shared.TypeId]: remote,
    fields,
    get: remote.call("entries", [], decode("get")),
    set: (values) => Field.setAll(remote, Object.entries(values).map(([name, value]) => [name, codecs[name]!, value])),
    changes,
    until: (is) => first(Stream.filter(changes, is))
  }
}

/** Names and values in turn, over what is known already. */
const decoded = <F extends Fields>(
  remote: Field.RecordRemote,
  operation: string,
  codecs: Codecs,
  parts: ReadonlyArray<Argument>,
  known: Partial<Values<F>>
): Exit.Exit<Values<F>, ManagerError> => {
  const names = parts.filter((part) => typeof part === "string")
  const values = all(names.map((name, i) => remote.decode(operation, codecs[name]!, parts[i * 2 + 1] as Cell)))
  return Exit.map(values, (decoded) => ({
    ...known,
    ...Object.fromEntries(names.map((name, i) => [name, decoded[i]]))
    // A snapshot comes first and has every field (S-29).
  } as Values<F>))
}
