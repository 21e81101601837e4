import { stringify } from "yaml";
import { CodedError } from "../errors.ts";
import { formatIdentityFlag, type IdentityFields } from "./build/identity-flag.ts";
import { flagOf, flagsOf } from "./build/selection-flags.ts";
import { isObject, type Json } from "../text/json.ts";
import { shellQuoted } from "./written.ts";

/** What an error suggests for the spec, as it is written on the command line; undefined where it suggests nothing. */
export function suggestedFlags(error: unknown): string | undefined {
  const suggestion = suggestionOf(error);
  if (suggestion === undefined) return undefined;
  const flags = ["indexSelector", "layerSelector"].flatMap((selector) => {
    const fields = suggestion[selector];
    return isObject(fields)
      ? Object.entries(fields).flatMap(([field, value]) => flagsFor(`${selector}.${field}`, value))
      : [];
  });
  const { ref, component, ignore } = suggestion;
  if (isObject(component)) flags.unshift(...componentFlags(component));
  if (typeof ignore === "string") flags.push(...flagsFor("ignore", ignore));
  const digest = isObject(ref) && typeof ref["digest"] === "string" ? [`@${ref["digest"]} behind the reference`] : [];
  return [...digest, ...flags].join(" ") || undefined;
}

/**
 * The error in the words of the command line: what it says of fields of the spec is said of flags, and instead of YAML stand, last
 * and alone, the flags to add.
 */
export function inFlags(error: unknown): unknown {
  if (!(error instanceof CodedError)) return error;
  const flags = suggestedFlags(error);
  const suggestion = suggestionOf(error);
  const yaml = suggestion && stringify(suggestion, { lineWidth: 0 }).trimEnd();
  const text = yaml === undefined || flags === undefined ? error.message : without(error.message, yaml);
  const message = fieldsAsFlags(text) + (flags === undefined ? "" : `\nas flags: ${flags}`);
  const { cause, details, retryAfterMs } = error;
  return new CodedError(error.code, message, {
    ...(cause !== undefined && { cause }),
    ...(details && { details }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function suggestionOf(error: unknown): Json | undefined {
  const suggestion = error instanceof CodedError ? error.details?.["suggestion"] : undefined;
  return isObject(suggestion) ? suggestion : undefined;
}

const without = (message: string, yaml: string): string => message.replace(`\n${yaml}`, "");

const chosen = { indexSelector: "manifests", layerSelector: "layers" } as const;

/** Fields with their value (`indexSelector.match: All`), then a whole selector. */
function fieldsAsFlags(text: string): string {
  return text
    .replace(
      /\b(?:spec\.)?((?:indexSelector|layerSelector|component)\.\w+|ignore(?=:))(?:: (-?\d+|One|First|All|Extract|Copy|ExtractAll|Merge|LayerPerDir|ManifestPerDir|Fail|Overwrite|Keep|Skip|Follow)\b)?/g,
      (whole, field: string, value: string | undefined) => {
        const flag = flagOf(field);
        if (flag === undefined) return whole;
        return value === undefined ? flag : `${flag} ${value}`;
      },
    )
    .replace(
      /\b(?:spec\.)?(indexSelector|layerSelector)\b/g,
      (_, selector: keyof typeof chosen) => `the choice of ${chosen[selector]} (${flagsOf(selector)})`,
    )
    .replace(/\b(?:spec\.)?ref\.digest\b/g, "@DIGEST behind the reference")
    .replace(/\b(?:spec\.)?ref\.tag\b/g, ":TAG behind the reference");
}

function componentFlags({ path, resource }: Json): string[] {
  const flags = (field: string, identity: unknown): string[] =>
    isObject(identity) ? flagsFor(`component.${field}`, formatIdentityFlag(identity as unknown as IdentityFields)) : [];
  const steps = Array.isArray(path) ? path : [];
  return [...steps.flatMap((step) => flags("path", step)), ...flags("resource", resource)];
}

function flagsFor(path: string, value: unknown): string[] {
  const flag = flagOf(path);
  if (flag === undefined) return [];
  if (isObject(value))
    return Object.entries(value).map(([key, glob]) => `${flag} ${shellQuoted(`${key}=${String(glob)}`)}`);
  return [`${flag} ${shellQuoted(String(value))}`];
}
