import { CodedError } from "../../errors.ts";

type Labels = Readonly<Record<string, string>>;
export type LabelMatcher = (labels: Labels) => boolean;

/** A key with an optional prefix, and a label value: letters, digits, `-`, `_`, `.`. */
const key = String.raw`(?<key>(?:[a-zA-Z0-9.-]{1,253}/)?[a-zA-Z0-9](?:[\w.-]{0,61}[a-zA-Z0-9])?)`;
const forms: readonly [RegExp, (key: string, values: ReadonlySet<string>) => LabelMatcher][] = [
  [new RegExp(`^${key}$`), (key) => (labels) => Object.hasOwn(labels, key)],
  [new RegExp(`^!\\s*${key}$`), (key) => (labels) => !Object.hasOwn(labels, key)],
  [new RegExp(`^${key}\\s*==?\\s*(?<values>[\\w.-]*)$`), isOneOf],
  [new RegExp(`^${key}\\s*!=\\s*(?<values>[\\w.-]*)$`), isNoneOf],
  [new RegExp(`^${key}\\s+in\\s*\\((?<values>[\\w.,\\s-]*)\\)$`), isOneOf],
  [new RegExp(`^${key}\\s+notin\\s*\\((?<values>[\\w.,\\s-]*)\\)$`), isNoneOf],
];

function isOneOf(key: string, values: ReadonlySet<string>): LabelMatcher {
  return (labels) => Object.hasOwn(labels, key) && values.has(labels[key]!);
}

/** Also true where there is no such label, as in Kubernetes. */
function isNoneOf(key: string, values: ReadonlySet<string>): LabelMatcher {
  return (labels) => !Object.hasOwn(labels, key) || !values.has(labels[key]!);
}

/**
 * A Kubernetes label selector: requirements joined by commas, `key`, `!key`, `key=value`, `key!=value`, `key in (a,b)`,
 * `key notin (a,b)`. An empty one matches everything.
 *
 * @throws InvalidSpec
 */
export function parseLabelSelector(text: string): LabelMatcher {
  if (text.trim() === "") return () => true;
  // A comma between parentheses separates values, not requirements.
  const matchers = text.split(/,(?![^()]*\))/).map((part) => parseRequirement(part.trim(), text));
  return (labels) => matchers.every((matches) => matches(labels));
}

function parseRequirement(part: string, text: string): LabelMatcher {
  for (const [form, make] of forms) {
    const groups = form.exec(part)?.groups;
    if (groups !== undefined)
      return make(groups["key"]!, new Set((groups["values"] ?? "").split(",").map((value) => value.trim())));
  }
  throw new CodedError(
    "InvalidSpec",
    `"${part.slice(0, 100)}" in the label selector "${text.slice(0, 200)}" is not a requirement; write key=value, key!=value, key in (a,b), key notin (a,b), key or !key`,
  );
}
