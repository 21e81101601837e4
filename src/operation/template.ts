import { CodedError } from "../errors.ts";

/** Values of the variables of a name template; undefined or "" where there is none. */
export interface TemplateValues {
  readonly tag?: string | undefined;
  readonly title?: string | undefined;
  readonly offset?: string | undefined;
  readonly digest?: string | undefined;
  readonly hex?: string | undefined;
  /** With its dot. */
  readonly ext?: string | undefined;
  readonly repository?: string | undefined;
  readonly platform?: string | undefined;
  readonly artifactType?: string | undefined;
  /** `{annotation:KEY}` */
  readonly annotation: (key: string) => string | undefined;
}

const names = ["tag", "title", "offset", "digest", "hex", "ext", "repository", "platform", "artifactType"] as const;
type VariableName = (typeof names)[number];

/** Only these are paths themselves; a slash in any other value would make directories that nobody asked for. */
const paths: ReadonlySet<string> = new Set(["title", "repository"]);
const maxNameBytes = 1024;

/** A name that every layer can have. */
const suggestion = { layerSelector: { filename: "{hex}{ext}" } };
const plainName = '; for a name that always works, write\nlayerSelector:\n  filename: "{hex}{ext}"';

/**
 * The relative path that a template (api.md, "Template variables") stands for.
 * @throws InvalidTemplate for an unknown or empty variable, an absolute path, `..`, or a name nobody could use
 */
export function expandTemplate(template: string, values: TemplateValues): string {
  const text = template.replace(/\{([^{}]*)\}/g, (_, variable: string) => valueOf(variable, template, values));
  return safePath(text, `filename ${JSON.stringify(template)}`);
}

/**
 * A name that came from outside as a relative path: no empty, `.` or `..` parts, no control characters, no backslash.
 * @param what begins the message
 * @throws InvalidTemplate
 */
export function safePath(text: string, what: string): string {
  const refuse = (problem: string): CodedError =>
    new CodedError("InvalidTemplate", `${what} gives ${JSON.stringify(text.slice(0, 200))}, ${problem}${plainName}`, {
      details: { suggestion },
    });
  if (text.length > 4 * maxNameBytes) throw refuse("which is too long");
  if (text.startsWith("/")) throw refuse("an absolute path");
  const parts = text
    .split("/")
    .filter((part) => part !== "")
    .map(cleanPart)
    .filter((part) => part !== ".");
  if (parts.includes("..")) throw refuse("a path with '..'");
  if (parts.length === 0) throw refuse("which names nothing");
  const path = parts.join("/");
  if (Buffer.byteLength(path) > maxNameBytes || parts.some((part) => Buffer.byteLength(part) > 255))
    throw refuse("which is too long");
  return path;
}

function valueOf(variable: string, template: string, values: TemplateValues): string {
  const value = lookUp(variable, template, values);
  if (value === undefined || value === "") {
    throw new CodedError(
      "InvalidTemplate",
      `filename ${JSON.stringify(template)}: the layer has no {${variable}}${plainName}`,
      { details: { suggestion } },
    );
  }
  // A variable may stand there often, and an annotation be megabytes.
  if (value.length > maxNameBytes)
    throw new CodedError(
      "InvalidTemplate",
      `filename ${JSON.stringify(template)}: {${variable}} of the layer is longer than ${maxNameBytes} characters${plainName}`,
      { details: { suggestion } },
    );
  return paths.has(variable) ? value : value.replaceAll("/", "-").replaceAll(":", "-");
}

function lookUp(variable: string, template: string, values: TemplateValues): string | undefined {
  if (variable.startsWith("annotation:")) return values.annotation(variable.slice("annotation:".length));
  if (isVariable(variable)) return values[variable];
  const known = [...names, "annotation:KEY"].map((name) => `{${name}}`).join(" ");
  throw new CodedError(
    "InvalidTemplate",
    `filename ${JSON.stringify(template)}: there is no variable {${variable}}; there are ${known}${plainName}`,
    { details: { suggestion } },
  );
}

function isVariable(name: string): name is VariableName {
  return (names as readonly string[]).includes(name);
}

/** Characters that a file name on some system, or a terminal, would take for something else. */
function cleanPart(part: string): string {
  return part.replace(/[\p{Cc}\p{Cf}\p{Co}\\]/gu, "_").trim() || "_";
}
