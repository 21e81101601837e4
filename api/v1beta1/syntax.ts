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
const compiles = (text: string): string => `(''.matches(${text}) || !''.matches(${text}))`;

/** The API server tolerates a rule that is broken where nothing was edited, but not one that fails: this one says so itself. */
const isUnchanged = (field: string): string =>
  `(oldSelf.hasValue() && has(oldSelf.value().${field}) && oldSelf.value().${field} == self.${field})`;

const notRe2 = "is not an RE2 regular expression; RE2 has no look-around and no back-references";

/** @param field a text in RE2 syntax, absent or not */
export function re2(field: string): ServerRule {
  return {
    cel: `${isAbsent(field)} || ${isUnchanged(field)} || ${compiles(`self.${field}`)}`,
    message: `${field} ${notRe2}`,
    seesOld: true,
  };
}

/** @param field a list of objects whose `names` are texts in RE2 syntax */
export function re2List(field: string, names: readonly string[]): ServerRule {
  const each = names.map((name) => compiles(`item.${name}`)).join(" && ");
  return {
    cel: `!has(self.${field}) || ${isUnchanged(field)} || self.${field}.all(item, ${each})`,
    message: `${field} holds what ${notRe2}`,
    seesOld: true,
  };
}

const space = "[\\t\\n\\f\\r ]";
// The bar is in it as it is in the controller's, and Masterminds'.
const number = "[0-9|xX*]+";
const identifiers = "[0-9A-Za-z-]+([.][0-9A-Za-z-]+)*";
const bound = `v?${number}([.]${number})?([.]${number})?(-${identifiers})?([+]${identifiers})?`;
const term = `((!=|>=|=>|<=|=<|~>|[=<>~^])${space}*)?${bound}`;
const dash = `${space}+-${space}+`;
const separator = `(${space}*(,|[|][|])${space}*|${space}+)`;
/** The ranges that the controller reads, and few others; in RE2. After `A - B`, which is two terms, nothing need follow. */
export const rangePattern = `^${space}*(${term}(${separator}|${dash}${term}${separator}?))*${term}(${dash}${term})?${space}*$`;

export function semverRange(field: string, isRequired = false): ServerRule {
  const matches = `self.${field}.matches('${inCel(rangePattern)}')`;
  return {
    field,
    cel: isRequired ? matches : `${isAbsent(field)} || ${matches}`,
    message: `${field} is not a range of versions; write for example 1.x, ~1.4, ^2.0.0-0 or '>=1.0.0 <2.0.0'`,
  };
}

const variables = "tag|title|offset|digest|hex|ext|repository|platform|artifactType|annotation:[^{}]*";
/** A name whose braces hold variables that there are; in RE2. */
export const templatePattern = `^([^{}]|[{](${variables})[}])*$`;

export const filenameTemplate: ServerRule = {
  field: "filename",
  cel: `!has(self.filename) || self.filename.matches('${templatePattern}')`,
  message:
    "filename has braces around what is not a variable; write {tag}, {title}, {offset}, {digest}, {hex}, {ext}, {repository}, {platform}, {artifactType} or {annotation:KEY}",
};

/** A text of CEL reads backslashes itself. */
const inCel = (pattern: string): string => pattern.replaceAll("\\", "\\\\");
