import * as z from "zod";
import { nearestName } from "./nearest.ts";

/** One thing that is wrong with a manifest. */
export interface SpecIssue {
  /** `spec.layerSelector.operation`, `spec.verify.matchOIDCIdentity[0].issuer`; empty for the object itself. */
  readonly path: string;
  /** What stands there, as JSON, shortened and without credentials; undefined where nothing does. */
  readonly found: string | undefined;
  /** What to write instead, as an imperative clause. */
  readonly hint: string;
}

type ZodIssue = z.core.$ZodIssue;

/** The issues of a failed parse of `object` by `schema`, in words for the person who wrote the object. */
export function describeIssues(schema: z.ZodType, object: unknown, issues: readonly ZodIssue[]): SpecIssue[] {
  return issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => unknownField(schema, object, [...issue.path, key]))
      : [{ path: formatPath(issue.path), found: show(valueAt(object, issue.path)), hint: hintFor(issue) }],
  );
}

/** One line an issue: `spec.interval: found "10 minutes"; write a duration such as 10m or 1h30m`. */
export function formatIssues(issues: readonly SpecIssue[]): string {
  return issues
    .map(
      ({ path, found, hint }) => `${path || "object"}: ${found === undefined ? "missing" : `found ${found}`}; ${hint}`,
    )
    .join("\n");
}

function unknownField(schema: z.ZodType, object: unknown, path: readonly PropertyKey[]): SpecIssue {
  const known = fieldNames(schema, path.slice(0, -1));
  const near = nearestName(String(path.at(-1)), known);
  const list = known.length === 0 ? "nothing goes here" : `the fields here are ${known.join(", ")}`;
  return {
    path: formatPath(path),
    found: show(valueAt(object, path)),
    hint:
      near === undefined
        ? `remove this unknown field; ${list}`
        : `this field is unknown, did you mean ${near}? ${list}`,
  };
}

function hintFor(issue: ZodIssue): string {
  if (issue.message.startsWith("write ")) return issue.message; // the schema's own words
  switch (issue.code) {
    case "invalid_type":
      return `write ${typeHints[issue.expected] ?? `a value of type ${issue.expected}`}`;
    case "invalid_value":
      return `write ${alternatives(issue.values.map(String))}`;
    case "too_small":
      return issue.origin === "string" ? "write something, the text is empty" : `write at least ${issue.minimum}`;
    case "too_big":
      return `write at most ${issue.maximum}${sizeUnits[issue.origin] ?? ""}`;
    default:
      return issue.message;
  }
}

const typeHints: Readonly<Record<string, string>> = {
  string: "text; put it in quotes if it looks like a number or a boolean",
  boolean: "true or false",
  number: "a number",
  int: "a whole number",
  object: "a map of fields",
  record: "a map of names to text",
  array: "a list",
};

const sizeUnits: Readonly<Record<string, string>> = { string: " characters", array: " items" };

/** `a, b or c`, without the spellings that differ from an earlier one only in case. */
function alternatives(values: readonly string[]): string {
  const distinct = values.filter(
    (value, at) => values.findIndex((other) => other.toLowerCase() === value.toLowerCase()) === at,
  );
  const last = distinct.at(-1) ?? "";
  return distinct.length < 2 ? last : `${distinct.slice(0, -1).join(", ")} or ${last}`;
}

/** Names of the fields that `schema` knows at `path`; walks through optional, default and pipe wrappers. */
function fieldNames(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current = unwrap(schema);
  for (const key of path) {
    if (current instanceof z.ZodObject) current = unwrap(current.shape[String(key)]);
    else if (current instanceof z.ZodArray) current = unwrap(current.element);
    else return [];
  }
  return current instanceof z.ZodObject ? Object.keys(current.shape) : [];
}

function unwrap(schema: unknown): unknown {
  let current = schema;
  while (current instanceof z.ZodOptional || current instanceof z.ZodDefault) current = current.def.innerType;
  return current;
}

function valueAt(object: unknown, path: readonly PropertyKey[]): unknown {
  let current = object;
  for (const key of path) {
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Record<PropertyKey, unknown>)[key];
  }
  return current;
}

function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((key, at) => (typeof key === "number" ? `[${key}]` : `${at === 0 ? "" : "."}${String(key)}`))
    .join("");
}

const maxShown = 80;

/** JSON of a value, shortened, and without the user part of a URL, which may be a password. */
function show(value: unknown): string | undefined {
  const json = JSON.stringify(value)?.replace(/\/\/[^/@\s"]*@/g, "//***@");
  return json !== undefined && json.length > maxShown ? `${json.slice(0, maxShown)}…` : json;
}
