import { CodedError } from "../errors.ts";
import { formatIdentityFlag, type IdentityFields } from "./build/identity-flag.ts";
import { flagOf } from "./build/selection-flags.ts";
import { isObject, type Json } from "../text/json.ts";

/** What an error suggests for the spec, as it is written on the command line; undefined where it suggests nothing. */
export function suggestedFlags(error: unknown): string | undefined {
  const suggestion = error instanceof CodedError ? error.details?.["suggestion"] : undefined;
  if (!isObject(suggestion)) return undefined;
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

function componentFlags({ path, resource }: Json): string[] {
  const flags = (field: string, identity: unknown): string[] =>
    isObject(identity) ? flagsFor(`component.${field}`, formatIdentityFlag(identity as unknown as IdentityFields)) : [];
  const steps = Array.isArray(path) ? path : [];
  return [...steps.flatMap((step) => flags("path", step)), ...flags("resource", resource)];
}

function flagsFor(path: string, value: unknown): string[] {
  const flag = flagOf(path);
  if (flag === undefined) return [];
  if (isObject(value)) return Object.entries(value).map(([key, glob]) => `${flag} ${quoted(`${key}=${String(glob)}`)}`);
  return [`${flag} ${quoted(String(value))}`];
}

/** As a POSIX shell takes it. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
