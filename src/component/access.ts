import { CodedError } from "../errors.ts";
import { isDigest } from "../oci/digest.ts";
import type { Digest } from "../oci/types.ts";
import { printable } from "../text/printable.ts";
import type { AccessFields } from "./descriptor.ts";

/** Where the content of a resource is. */
export type Access =
  | {
      readonly kind: "localBlob";
      readonly reference: Digest;
      /** Empty where none is stated. */
      readonly mediaType: string;
      /** The same content elsewhere. */
      readonly globalAccess: AccessFields | undefined;
    }
  | { readonly kind: "ociArtifact"; readonly reference: string }
  /** In another repository of the same registry. */
  | { readonly kind: "relative"; readonly reference: string }
  | {
      readonly kind: "ociBlob";
      readonly reference: string;
      readonly digest: Digest;
      readonly mediaType: string;
      readonly size: number;
    };

type Read = (fields: AccessFields, fail: Fail) => Access;
type Fail = (problem: string) => CodedError;

/** Every name that OCM has ever written for the four, in lower case; the version is v1 or left out. */
const readers: Readonly<Record<string, Read>> = {
  localblob: localBlob,
  localociblob: localBlob,
  ociartifact: ociArtifact,
  ociartefact: ociArtifact,
  ociregistry: ociArtifact,
  ociimage: ociArtifact,
  relativeocireference: (fields, fail) => ({ kind: "relative", reference: textOf(fields, "reference", fail) }),
  ociblob: ociBlob,
  ociimagelayer: ociBlob,
};

/**
 * @param what is accessed, for messages: `resource config 1.0.0 of fx.example/app:1.0.0`
 * @throws AccessUnsupported for other types, by their name; ComponentInvalid
 */
export function parseAccess(fields: AccessFields | undefined, what: string): Access {
  if (fields === undefined) throw new CodedError("AccessUnsupported", `${what} says of no place where it is`);
  const [, name, version = "v1"] = /^([^/]+)(?:\/(.*))?$/s.exec(fields.type.toLowerCase()) ?? [];
  const reader = name !== undefined && version === "v1" && Object.hasOwn(readers, name) ? readers[name] : undefined;
  if (reader === undefined)
    throw new CodedError(
      "AccessUnsupported",
      `${what} has the access type ${printable(fields.type) || '""'}, which is not read here; those that are read are localBlob, ociArtifact, ` +
        'relativeOciReference and ociBlob: bring it into the registry with "ocm transfer component-version --copy-resources"',
    );
  return reader(fields, (problem) => new CodedError("ComponentInvalid", `${what}: its access ${problem}`));
}

function localBlob(fields: AccessFields, fail: Fail): Access {
  // localOciBlob calls it `digest`.
  const reference = fields["localReference"] ?? fields["digest"];
  if (typeof reference !== "string" || !isDigest(reference))
    throw fail(`has the localReference ${shown(reference)}, which is not a digest`);
  const { globalAccess } = fields;
  return {
    kind: "localBlob",
    reference,
    mediaType: optionalText(fields, "mediaType", fail),
    globalAccess: isFields(globalAccess) ? globalAccess : undefined,
  };
}

function ociArtifact(fields: AccessFields, fail: Fail): Access {
  return { kind: "ociArtifact", reference: textOf(fields, "imageReference", fail) };
}

function ociBlob(fields: AccessFields, fail: Fail): Access {
  const { digest, size } = fields;
  if (typeof digest !== "string" || !isDigest(digest)) throw fail(`has the digest ${shown(digest)}`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw fail(`has the size ${shown(size)}`);
  // The specification calls it imageReference, the implementations write ref.
  const reference = textOf(fields, "ref" in fields ? "ref" : "imageReference", fail);
  return { kind: "ociBlob", reference, digest, mediaType: optionalText(fields, "mediaType", fail), size };
}

function textOf(fields: AccessFields, key: string, fail: Fail): string {
  const value = fields[key];
  if (typeof value === "string" && value !== "") return value;
  throw fail(`has the ${key} ${shown(value)}`);
}

function optionalText(fields: AccessFields, key: string, fail: Fail): string {
  const value = fields[key] ?? "";
  if (typeof value === "string" && value.length <= 255) return value;
  throw fail(`has the ${key} ${shown(value)}`);
}

function isFields(value: unknown): value is AccessFields {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

function shown(value: unknown): string {
  return printable(JSON.stringify(value) ?? "nothing", 80);
}
