import { RE2JS, RE2JSSyntaxException } from "re2js";
import { CodedError } from "../errors.ts";

/**
 * A regular expression in RE2 syntax, as Flux's fields are. Matching takes time linear in the tag's length whatever the
 * pattern, so that nobody's pattern can hold up the controller.
 */
export interface TagPattern {
  readonly source: string;
  readonly compiled: RE2JS;
}

/** Writes a value out of a match: literal text and the numbers of groups. */
export type Extractor = readonly (string | number)[];

const maxLength = 1024;
/** Instructions of the compiled program: what one tag costs at most is this times its length of 128. */
const maxProgram = 1000;
const variablePattern = /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu;

const unsupportedSyntax: readonly (readonly [RegExp, string])[] = [
  [/\(\?<?[=!]/, "RE2 has no look-around; match the tag's whole form and take the part that counts with a group"],
  [/\\[1-9]/, "RE2 has no back-references"],
  [/\(\?>|[+*?]\+/, "RE2 has no atomic groups or possessive quantifiers, and needs none"],
];

/**
 * @param field named in the message: `spec.ref.semverFilter`
 * @throws InvalidPattern with what is wrong and where
 */
export function parsePattern(source: string, field: string): TagPattern {
  if (source.length > maxLength) {
    throw new CodedError(
      "InvalidPattern",
      `${field} is ${source.length} characters long; at most ${maxLength} are allowed.`,
    );
  }
  const compiled = compile(source, field);
  if (compiled.programSize() > maxProgram) {
    throw new CodedError(
      "InvalidPattern",
      `${field} "${shortened(source)}" is too costly: its repetitions expand to ${compiled.programSize()} steps, at most ` +
        `${maxProgram} are allowed. Write + or * instead of a large count such as {0,500}.`,
    );
  }
  return { source, compiled };
}

/** True where the pattern is found anywhere in the tag, as in Go's `MatchString`. */
export function matches(pattern: TagPattern, tag: string): boolean {
  return pattern.compiled.test(tag);
}

/**
 * Reads a template in the syntax of Go's `Regexp.Expand`: `$name`, `${name}`, `$1`, `$$`. Unlike there, a group that
 * the pattern does not have is an error: it would give every tag the same value, and the choice would be arbitrary.
 *
 * @throws InvalidPattern
 */
export function parseExtract(template: string, pattern: TagPattern, field: string): Extractor {
  if (template.length > maxLength) {
    throw new CodedError(
      "InvalidPattern",
      `${field} is ${template.length} characters long; at most ${maxLength} are allowed.`,
    );
  }
  const parts: (string | number)[] = [];
  let end = 0;
  for (const match of template.matchAll(variablePattern)) {
    parts.push(template.slice(end, match.index));
    const name = match[1] ?? match[2];
    parts.push(name === undefined ? "$" : groupOf(name, pattern, `${field} "${shortened(template)}"`));
    end = match.index + match[0].length;
  }
  parts.push(template.slice(end));
  return parts.filter((part) => part !== "");
}

/** The value that the template makes of the tag, or undefined where the pattern does not match. */
export function extract(tag: string, pattern: TagPattern, extractor: Extractor): string | undefined {
  const matcher = pattern.compiled.matcher(tag);
  if (!matcher.find()) return undefined;
  return extractor.map((part) => (typeof part === "string" ? part : (matcher.group(part) ?? ""))).join("");
}

function compile(source: string, field: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    throw new CodedError(
      "InvalidPattern",
      `${field} "${shortened(source)}" is not an RE2 expression: ${reason(error, source)}.`,
      { cause: error },
    );
  }
}

function reason(error: unknown, source: string): string {
  if (!(error instanceof RE2JSSyntaxException)) return "it cannot be compiled";
  const fragment = error.input ?? "";
  const at = fragment === "" || fragment === source ? -1 : source.lastIndexOf(fragment);
  const where = at < 0 ? "" : ` "${shortened(fragment)}" at character ${at + 1}`;
  const hint = unsupportedSyntax.find(([form]) => form.test(fragment || source))?.[1];
  return `${error.error}${where}${hint === undefined ? "" : ` (${hint})`}`;
}

function groupOf(name: string, pattern: TagPattern, where: string): number {
  const { compiled } = pattern;
  const isNumber = /^(?:0|[1-9][0-9]{0,7})$/.test(name);
  const group = isNumber ? Number(name) : compiled.namedGroups()[name];
  if (group !== undefined && group <= compiled.groupCount()) return group;
  const groups = [
    ...Array.from({ length: compiled.groupCount() + 1 }, (_, i) => `$${i}`),
    ...Object.keys(compiled.namedGroups()).map((known) => `$${known}`),
  ];
  throw new CodedError(
    "InvalidPattern",
    `${where} uses the group "${name}", which the pattern "${shortened(pattern.source)}" does not have. It has ` +
      `${groups.slice(0, 20).join(", ")}. In "$1_" the name is "1_": write "\${1}_".`,
  );
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
