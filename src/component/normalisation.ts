import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import { CodedError } from "../errors.ts";
import { printable } from "../text/printable.ts";
import type { ComponentDescriptor, ComponentReference, Element, Label, Resource, StatedDigest } from "./descriptor.ts";

/** The one that OCM signs with today (ocm-spec, "Normalization Algorithms"). */
export const normalisationName = "jsonNormalisation/v4alpha1";

const hashes: Readonly<Record<string, "sha256" | "sha512">> = { "SHA-256": "sha256", "SHA-512": "sha512" };

/** Node's name of a hash of OCM; undefined for others. */
export function hashOf(algorithm: string): "sha256" | "sha512" | undefined {
  const name = algorithm.toUpperCase();
  return Object.hasOwn(hashes, name) ? hashes[name] : undefined;
}

/**
 * The bytes that a signature is about: what does not change when a component is transferred, in the form of RFC 8785.
 *
 * Usually one form. The specification keeps the `version` of signed labels, OCM's own implementation loses it: where there is
 * one, whichever of the two was signed is accepted; nothing here depends on it.
 */
export function normalisedForms(descriptor: ComponentDescriptor): readonly string[] {
  const { labels, provider, resources, sources, componentReferences } = descriptor;
  const all = [{ labels }, provider, ...resources, ...sources, ...componentReferences];
  const hasVersions = all.some((part) => part.labels.some(({ version }) => version !== ""));
  return [...new Set(hasVersions ? [form(descriptor, false), form(descriptor, true)] : [form(descriptor, false)])];
}

/**
 * The form of which `stated` is the digest, or a clause saying why there is none: `is made with …`, `is …, but …`.
 */
export function formWithDigest(
  descriptor: ComponentDescriptor,
  { normalisationAlgorithm, hashAlgorithm, value }: StatedDigest,
): { readonly form: string; readonly hash: "sha256" | "sha512" } | { readonly problem: string } {
  if (normalisationAlgorithm !== normalisationName)
    return {
      problem: `is made with ${printable(normalisationAlgorithm) || "no normalisation"}, and only ${normalisationName} is understood: sign the component version again with a present ocm`,
    };
  const hash = hashOf(hashAlgorithm);
  if (hash === undefined)
    return { problem: `is made with ${printable(hashAlgorithm)}, and only SHA-256 and SHA-512 are understood` };
  const forms = normalisedForms(descriptor);
  const found = forms.find((text) => digestOf(text, hash) === value.toLowerCase());
  if (found !== undefined) return { form: found, hash };
  return {
    problem: `is ${printable(value, 128)}, but that of the descriptor of ${printable(descriptor.name)}:${printable(descriptor.version)} is ${digestOf(forms[0]!, hash)}: it was changed`,
  };
}

function digestOf(text: string, hash: "sha256" | "sha512"): string {
  return createHash(hash).update(text).digest("hex");
}

function form(descriptor: ComponentDescriptor, withVersions: boolean): string {
  const { name, version, creationTime, provider, resources, sources, componentReferences } = descriptor;
  const signed: Labels = (labels) =>
    labelsOf(
      labels.filter(({ signing }) => signing),
      withVersions,
    );
  // For references every label counts, signed or not.
  const all: Labels = (labels) => labelsOf(labels, withVersions);
  const value = {
    component: {
      name,
      version,
      ...signed(descriptor.labels),
      ...(creationTime !== "" && { creationTime }),
      provider: { name: provider.name, ...signed(provider.labels) },
      resources: resources.map((resource) => resourceOf(resource, signed)),
      sources: sources.map((source) => Object.assign(elementOf(source, signed), { type: source.type })),
      componentReferences: componentReferences.map((reference) => referenceOf(reference, all)),
    },
  };
  const text = canonicalize(value);
  if (text === undefined) throw new CodedError("Internal", "a component descriptor has no canonical form");
  return text;
}

/** What is kept of the labels of something. */
type Labels = (labels: readonly Label[]) => { labels?: unknown[] };

function elementOf({ name, version, extraIdentity, labels }: Element, keep: Labels): Record<string, unknown> {
  return { name, version, ...(Object.keys(extraIdentity).length > 0 && { extraIdentity }), ...keep(labels) };
}

/** Without access, which transfers change; what has none has no digest either. */
function resourceOf(resource: Resource, keep: Labels): Record<string, unknown> {
  const { type, relation, access, digest } = resource;
  const isNone = access?.type === "none" || access?.type === "None";
  return { ...elementOf(resource, keep), type, relation, ...(digest !== undefined && !isNone && { digest }) };
}

function referenceOf(reference: ComponentReference, keep: Labels): Record<string, unknown> {
  const { componentName, digest = { hashAlgorithm: "", normalisationAlgorithm: "", value: "" } } = reference;
  return { ...elementOf(reference, keep), componentName, digest };
}

function labelsOf(labels: readonly Label[], withVersions: boolean): { labels?: unknown[] } {
  if (labels.length === 0) return {};
  return { labels: labels.map((label) => labelOf(label, withVersions)) };
}

function labelOf({ name, value, signing, version }: Label, withVersion: boolean): Record<string, unknown> {
  return {
    name,
    ...(value !== undefined && value !== null && { value: withoutNulls(value) }),
    ...(signing && { signing }),
    ...(withVersion && version !== "" && { version }),
  };
}

/** Fields that are null are left out; null in a list stays. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, child]) => child !== null);
  return Object.fromEntries(kept.map(([key, child]) => [key, withoutNulls(child)]));
}
