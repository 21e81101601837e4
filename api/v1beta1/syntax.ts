import type { ServerRule } from "./rules.ts";

/**
 * What the API server can see of texts that have a syntax of their own, so that `kubectl apply` refuses what could never work.
 * Each rule lets everything through that the parser of the text accepts; the parser remains the judge.
 */

/** Whether an optional text is there; Flux's templates write `""` for "not set". */
const isAbsent = (field: string): string => `!has(self.${field}) || self.${field} == ''`;

/** The rules of `url`, the repository that is read. */
export const repositoryUrl: readonly ServerRule[] = [
  {
    field: "url",
    cel: "self.url.matches('^oci://[^/]+/[^:@]')",
    message: "url has no repository; write oci://registry/repository",
  },
  {
    field: "url",
    cel: "!self.url.matches('^oci://[^/]*@')",
    message: "url carries credentials; write them in a Secret, and its name in secretRef",
  },
  {
    field: "url",
    cel: "!self.url.matches('^oci://[^/]+/.*[:@]')",
    message: "url has a tag or a digest; write it in ref.tag or ref.digest instead",
  },
  {
    field: "url",
    cel: "!self.url.matches('^oci://[^/]+/[^:@]*[A-Z]')",
    message: "url names a repository with upper-case letters, which no registry has; write it in lower case",
  },
];

/** CEL fails on an expression that it cannot compile, whatever it is compared with. */
const compiles = (field: string): string => `''.matches(self.${field}) || !''.matches(self.${field})`;

/** @param field a text in RE2 syntax, absent or not */
export function re2(field: string, isRequired = false): ServerRule {
  return {
    field,
    cel: isRequired ? compiles(field) : `${isAbsent(field)} || ${compiles(field)}`,
    message: `${field} is not an RE2 regular expression; RE2 has no look-around and no back-references`,
  };
}

const space = "[\\t\\n\\f\\r ]";
const number = "[0-9xX*]+([|][0-9xX*]+)*";
const identifiers = "[0-9A-Za-z-]+([.][0-9A-Za-z-]+)*";
const bound = `v?${number}([.]${number})?([.]${number})?(-${identifiers})?([+]${identifiers})?`;
const term = `((!=|>=|=>|<=|=<|~>|[=<>~^])${space}*)?${bound}`;
const group = `${space}*${term}((${space}*,${space}*|${space}+(-${space}+)?)${term})*${space}*`;
/** The ranges that the controller reads, and few others; in RE2 and JavaScript alike. */
export const rangePattern = `^${group}([|][|]${group})*$`;

export function semverRange(field: string, isRequired = false): ServerRule {
  const matches = `self.${field}.matches('${inCel(rangePattern)}')`;
  return {
    field,
    cel: isRequired ? matches : `${isAbsent(field)} || ${matches}`,
    message: `${field} is not a range of versions; write for example 1.x, ~1.4, ^2.0.0-0 or '>=1.0.0 <2.0.0'`,
  };
}

const variables = "tag|title|offset|digest|hex|ext|repository|platform|artifactType|annotation:[^{}]*";
/** A name whose braces hold variables that there are; in RE2 and JavaScript alike. */
export const templatePattern = `^([^{}]|[{](${variables})[}])*$`;

export const filenameTemplate: ServerRule = {
  field: "filename",
  cel: `!has(self.filename) || self.filename.matches('${templatePattern}')`,
  message:
    "filename has braces around what is not a variable; write {tag}, {title}, {offset}, {digest}, {hex}, {ext}, {repository}, {platform}, {artifactType} or {annotation:KEY}",
};

/** A text of CEL reads backslashes itself. */
const inCel = (pattern: string): string => pattern.replaceAll("\\", "\\\\");
