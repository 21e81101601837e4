import * as z from "zod";
import { CodedError } from "../errors.ts";
import { parseJson } from "../text/json.ts";
import { printable } from "../text/printable.ts";
import { decodeDescriptor } from "./encoding.ts";

const maxText = 4096;
/** A signature in PEM carries its certificates. */
const maxSignature = 256 * 1024;

// Go, which the schema comes from, reads null as "nothing" everywhere.
const text = z.string().max(maxText);
const optionalText = text.nullish().transform((value) => value ?? "");
const listOf = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);

/** ocm-spec, "Labels": only those with `signing` are signed. */
const labels = listOf(
  z.object({
    name: text,
    value: z.unknown(),
    signing: z
      .boolean()
      .nullish()
      .transform((value) => value ?? false),
    version: optionalText,
  }),
);

/** ocm-spec, "Digest Info". All three empty is Go's way to say that there is none. */
const digest = z
  .object({ hashAlgorithm: optionalText, normalisationAlgorithm: optionalText, value: optionalText })
  .nullish()
  .transform((value) => value ?? undefined);

const element = {
  name: text.min(1),
  version: optionalText,
  extraIdentity: z
    .record(text, text)
    .nullish()
    .transform((value) => value ?? {}),
  labels,
};

/** What it says beside its type depends on the type. */
const access = z
  .looseObject({ type: text })
  .nullish()
  .transform((value) => value ?? undefined);

const resource = z.object({ ...element, type: optionalText, relation: optionalText, access, digest });
const source = z.object({ ...element, type: optionalText });
const reference = z.object({ ...element, componentName: text.min(1), digest });

const signature = z.object({
  name: text,
  digest: z.object({ hashAlgorithm: text, normalisationAlgorithm: text, value: text }),
  signature: z.object({
    algorithm: optionalText,
    value: z.string().max(maxSignature),
    mediaType: optionalText,
    issuer: optionalText,
  }),
});

/** The component descriptor, schema v2 (ocm-spec, doc/04-extensions/00-component-descriptor/v2.md). What it does not know is passed over, as by OCM's own reader. */
const descriptorSchema = z.object({
  meta: z.object({ schemaVersion: z.literal("v2", "is not v2") }, "there is no meta, so it is not of schema v2"),
  component: z.object({
    name: text.min(1).max(255),
    version: text.min(1).max(128),
    labels,
    creationTime: optionalText,
    provider: text.min(1).transform(providerOf),
    resources: listOf(resource),
    sources: listOf(source),
    componentReferences: listOf(reference),
  }),
  signatures: listOf(signature),
});

type Labels = z.output<typeof labels>;
export type Label = Labels[number];
export type StatedDigest = NonNullable<z.output<typeof digest>>;
export type AccessFields = NonNullable<z.output<typeof access>>;
export type Element = z.output<z.ZodObject<typeof element>>;
export type Resource = z.output<typeof resource>;
export type Source = z.output<typeof source>;
export type ComponentReference = z.output<typeof reference>;
export type Signature = z.output<typeof signature>;

/** A component version as its descriptor describes it. */
export type ComponentDescriptor = z.output<typeof descriptorSchema>["component"] & {
  readonly signatures: readonly Signature[];
};

interface Provider {
  readonly name: string;
  readonly labels: Labels;
}

/** A provider with labels is JSON in a string. */
function providerOf(written: string, context: z.RefinementCtx): Provider {
  if (!written.trimStart().startsWith("{")) return { name: written, labels: [] };
  const parsed = z.object({ name: text.min(1), labels }).safeParse(jsonOf(written));
  if (parsed.success) return parsed.data;
  context.addIssue({ code: "custom", message: "is neither a name nor the JSON of a name and labels" });
  return z.NEVER;
}

function jsonOf(written: string): unknown {
  try {
    return parseJson(written);
  } catch {
    return undefined;
  }
}

/**
 * Reads a stranger's component descriptor.
 *
 * @param name of the component version, for messages
 * @throws ComponentInvalid
 */
export function parseDescriptor(bytes: Buffer, mediaType: string, name: string): ComponentDescriptor {
  const parsed = descriptorSchema.safeParse(decodeDescriptor(bytes, mediaType, name));
  if (parsed.success) return { ...parsed.data.component, signatures: parsed.data.signatures };
  const [issue] = parsed.error.issues;
  throw new CodedError(
    "ComponentInvalid",
    `${name}: its component descriptor is not of schema v2: ${printable(issue?.path.join(".") ?? "", 200)}: ${printable(issue?.message ?? "", 200)}`,
  );
}

/** The digest where one is stated. `NO-DIGEST` says that there is deliberately none. */
export function statedDigest(stated: StatedDigest | undefined): StatedDigest | undefined {
  if (stated === undefined || stated.value === "" || stated.hashAlgorithm.toUpperCase() === "NO-DIGEST")
    return undefined;
  return stated.normalisationAlgorithm === "EXCLUDE-FROM-SIGNATURE" ? undefined : stated;
}

/** `SHA-256 0123… (genericBlobDigest/v1)` */
export function digestText({ hashAlgorithm, value, normalisationAlgorithm }: StatedDigest): string {
  return `${hashAlgorithm} ${value} (${normalisationAlgorithm})`;
}
