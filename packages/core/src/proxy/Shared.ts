/**
 * A kind as a typed service: the parts of every public module of a kind (`Service`, `make`, `schema`, `isSharedX`).
 *
 * A kind's module has two parts: a *facade*, by which a remote object becomes the interface its users see, and the
 * *creation* of a new object. Opening, layers, handles and their lifetimes are here, once.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Scope from "effect/Scope"
import type { Connection } from "../client/Connection.ts"
import { HandleOwner } from "../client/Received.ts"
import { describe } from "../client/Target.ts"
import type { OptionParameters, OptionsOf } from "../engine/Parameter.ts"
import type { Argument, Cell, ObjectId } from "../engine/Value.ts"
import { InvalidRequest, ManagerError, OptionsMismatch, SchemaMismatch } from "../ManagerError.ts"
import { fingerprint } from "./fingerprint.ts"
import { Manager } from "./Manager.ts"
import * as Remote from "./Remote.ts"
import { foreignHandle } from "./unsent.ts"
import { collect, HandleOrigin } from "./ValueCodec.ts"

export { type Shared, TypeId } from "./Remote.ts"

/** How a remote object of a kind becomes the interface of its users. */
export interface Facade<A extends Remote.Shared, K extends Named, C = void, R = never> {
  readonly kind: K["name"]
  /** An own kind, whose fingerprint its objects have. Absent: they have that of their values. */
  readonly fingerprinted?: { readonly fingerprint: string }
  /** The schemas of its values; absent: it has none. */
  readonly values?: {
    readonly schemas: ReadonlyArray<Schema.Top>
    /** Compiled. */
    readonly codecs: Effect.Effect<C, never, R>
  }
  readonly proxy: (remote: Remote.Remote<K>, codecs: C) => A
}

/** The options and values of a new object of a kind. */
export interface Creation<K extends Named, C = void> {
  readonly options?: OptionsOf<NonNullable<K["options"]>>
  /** Values the object begins with; absent: none. */
  readonly initial?: (codecs: C) => Exit.Exit<ReadonlyArray<Cell>, Schema.SchemaError>
}

/** Any kind, as far as opening one goes. */
interface Named {
  readonly name: string
  readonly options?: OptionParameters
}

/** The errors of opening an object. */
export type OpenError = ManagerError | SchemaMismatch | OptionsMismatch

/**
 * Opens an object for the life of the scope: the one of this name, made now if there is none, or without a name a new
 * one that lives as long as something refers to it.
 */
export const open = <A extends Remote.Shared, K extends Named, C, R>(
  facade: Facade<A, K, C, R>,
  creation: Creation<K, C>,
  name: string | undefined
): Effect.Effect<A, OpenError, Manager | Scope.Scope | R> =>
  Effect.gen(function*() {
    const { connection } = yield* Manager
    const scope = yield* Effect.scope
    const codecs = yield* codecsOf(facade)
    const { kind } = facade
    const shown = describe(kind, name)
    const directory = Remote.directory(connection, shown)
    if (name === "") return yield* directory.invalid("open", "its name is empty. Give it a name, or leave it out")
    const initial = yield* Exit.mapError(
      creation.initial?.(codecs) ?? Exit.succeed([]),
      (error) => directory.notEncoded("open", error)
    )
    const options = Object.entries<Argument>(creation.options ?? {}).flat()
    const { handles } = yield* Effect.uninterruptibleMask((restore) =>
      Effect.tap(
        directory.callOwned(
          restore,
          "open",
          [kind, fingerprintOf(facade), name ?? null, options.length / 2, ...options, ...initial],
          ([handle]) => Exit.succeed(handle),
          openRefusals(name ?? "", shown)
        ),
        (handle) =>
          Scope.addFinalizer(
            scope,
            Effect.sync(() => connection.received.giveBack([handle], "the scope in which it was opened"))
          )
      )
    ).pipe(Effect.provideService(HandleOwner, undefined))
    return bind(facade, codecs, connection, handles[0]!, name, handles)
  })

/** Not before it is needed: the schema of a handle may stand in the schemas of its own values. */
const fingerprintOf = <A extends Remote.Shared, K extends Named, C, R>(
  { fingerprinted, values }: Facade<A, K, C, R>
): string => fingerprinted?.fingerprint ?? fingerprint(values?.schemas ?? [])

const codecsOf = <A extends Remote.Shared, K extends Named, C, R>(
  { values }: Facade<A, K, C, R>
): Effect.Effect<C, never, R> =>
  // Without values a facade has no codecs: C is void.
  values?.codecs ?? Effect.void as Effect.Effect<C>

/** An object as its users see it. */
const bind = <A extends Remote.Shared, K extends Named, C, R>(
  facade: Facade<A, K, C, R>,
  codecs: C,
  connection: Connection,
  id: ObjectId,
  name: string | undefined,
  origin: ReadonlyArray<ObjectId> | undefined
): A => {
  const target = { id, name, description: describe(facade.kind, name ?? id) }
  const remote = new Remote.Remote<K>(connection, facade.kind, target, fingerprintOf(facade), origin)
  const proxy = facade.proxy(remote, codecs)
  const shown = { kind: facade.kind, id, name, manager: connection.agreement.instance }
  return Object.defineProperties(proxy, {
    toJSON: { value: () => shown },
    toString: { value: () => `${target.description} of the manager ${shown.manager}` },
    [NodeInspectSymbol]: { value: () => shown }
  })
}

type OpenRefusal = "SchemaMismatch" | "KindMismatch" | "OptionsMismatch" | "InvalidOptions" | "UnknownKind"

const openRefusals = (name: string, object: string): Remote.Refusals<OpenRefusal, OpenError> => {
  const invalid = (issue: string) =>
    new ManagerError({ reason: new InvalidRequest({ object, operation: "open", issue }) })
  const mismatch = ([existing, requested]: ReadonlyArray<Argument>) =>
    new SchemaMismatch({ object: name, existing: String(existing), requested: String(requested) })
  return {
    SchemaMismatch: mismatch,
    KindMismatch: mismatch,
    OptionsMismatch: ([existing, requested]) =>
      new OptionsMismatch({ object: name, existing: String(existing), requested: String(requested) }),
    InvalidOptions: ([issue]) => invalid(String(issue)),
    UnknownKind: ([kind]) =>
      invalid(`this manager does not know the kind ${kind}. Give it to the manager: kinds: [...]`)
  }
}

/** A named shared object as a service with a layer. */
export interface ServiceClass<Self, Id extends string, A extends Remote.Shared, R>
  extends Context.ServiceClass<Self, Id, A>
{
  /** The object of this name, opened once for all users of this layer. */
  readonly layer: Layer.Layer<Self, OpenError, Manager | R>
  /** Its handle as a value (S-24). */
  readonly schema: HandleSchema<A, R>
}

/** Makes the class that a program extends to name a shared object. */
export const service = <Self>() =>
<const Id extends string, A extends Remote.Shared, K extends Named, C, R>(
  id: Id,
  facade: Facade<A, K, C, R>,
  creation: Creation<K, C>
): ServiceClass<Self, Id, A, R> => {
  const tag = Context.Service<Self, A>()(id)
  return Object.assign(tag, {
    layer: Layer.effect(tag, open(facade, creation, id)) as Layer.Layer<Self, OpenError, Manager | R>,
    schema: handleSchema(facade)
  })
}

/**
 * Ties the handles that the calls of an effect return to the scope: `yield* Shared.acquire(queue.take)`. They are given
 * back when the scope ends; nothing may use them then. Handles that nobody acquires are given back after the garbage
 * collector has found that nothing refers to them, and so are those of `changes`.
 */
export const acquire = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) => Effect.provideService(effect, HandleOwner, scope))

/** A handle as a value: decoding needs the manager that it belongs to. */
export interface HandleSchema<A, R> extends Schema.Codec<A, HandleWire, Manager | R, never> {}

/** A handle as it travels (S-5): which object of which manager, and what it must be. */
export interface HandleWire {
  readonly manager: string
  readonly space: number
  readonly object: number
  readonly name: string | null
  readonly kind: string
  readonly items: string
}

/** The only space of a manager, for now (S-5). */
const space = 0

const isHandleWire = Schema.is(Schema.Struct({
  manager: Schema.String,
  space: Schema.Literal(space),
  object: Schema.Int,
  name: Schema.NullOr(Schema.String),
  kind: Schema.String,
  items: Schema.String
}))

/** The options of `make`, of which a handle's schema needs only some. It ignores the others. */
export type SchemaOptions<Options, Needed extends keyof Options> =
  & Pick<Options, Needed>
  & Partial<Options>
  & { readonly name?: string | undefined }

/** The schema of the handles of a kind of object with these items. */
export const handleSchema = <A extends Remote.Shared, K extends Named, C, R>(
  facade: Facade<A, K, C, R>
): HandleSchema<A, R> => {
  const { kind, values } = facade
  // The schemas of the values are its parameters, so its fingerprint tells them (S-26). Their codecs are not run here.
  const Wire = Schema.declareConstructor<HandleWire>()(
    (values?.schemas ?? []) as ReadonlyArray<Schema.Codec<unknown>>,
    () => (u, ast, options) =>
      isHandleWire(u) && u.kind === kind && u.items === fingerprintOf(facade)
        ? Effect.succeed(u)
        : Effect.fail(new SchemaIssue.InvalidType(ast, u, options)),
    {
      expected: `a handle of a ${kind} of these values`,
      representation: { id: kind, payload: null },
      toCodecJson: () => undefined
    }
  )
  const Handle = Schema.declare<A>((u): u is A =>
    isShared(kind)(u) && u[Remote.TypeId].fingerprint === fingerprintOf(facade)
  )
  return Wire.pipe(Schema.decodeTo(Handle, {
    decode: SchemaGetter.transformEffect((wire) =>
      Effect.gen(function*() {
        const { connection } = yield* Manager
        if (wire.manager !== connection.agreement.instance) {
          return yield* Effect.fail(foreignHandle)
        }
        const codecs = yield* codecsOf(facade)
        return bind(facade, codecs, connection, wire.object, wire.name ?? undefined, yield* HandleOrigin)
      })
    ),
    encode: SchemaGetter.transformEffect((object: A) =>
      Effect.contextWith((context: Context.Context<never>) => {
        const remote = object[Remote.TypeId]
        const { connection, target } = remote
        const here = Context.getOption(context as Context.Context<Manager>, Manager)
        if (Option.isSome(here) && here.value.connection.agreement.instance !== connection.agreement.instance) {
          return Effect.fail(foreignHandle)
        }
        collect(context, target.id, remote)
        return Effect.succeed({
          manager: connection.agreement.instance,
          space,
          object: target.id,
          name: target.name ?? null,
          kind,
          items: fingerprintOf(facade)
        })
      })
    )
  }))
}

/** Whether something is a shared object of a kind. */
export const isShared = (kind: string) => (u: unknown): u is Remote.Shared =>
  Predicate.hasProperty(u, Remote.TypeId) && (u as Remote.Shared)[Remote.TypeId].kind === kind
