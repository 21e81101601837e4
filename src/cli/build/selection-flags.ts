import type { Flag } from "../flags/flag.ts";
import { rowsHelp } from "../flags/help.ts";

interface SelectionFlag {
  /** The field of the spec that it stands for. */
  readonly field: string;
  /**
   * How it is written there: a text, a number, the identity of an element, a map of KEY=VALUE, lines of one text, or a list of
   * identities; the last three may be repeated.
   */
  readonly kind: "text" | "integer" | "identity" | "pairs" | "lines" | "identities";
  /** What the help shows that it takes, and what for. */
  readonly takes: string;
  readonly help: string;
  /** As other programs call it. */
  readonly otherNames?: readonly string[];
}

const identityText = "NAME[,version=VERSION][,KEY=VALUE]";

/** Every flag of `strata build` that stands for a field of the spec: parsing, the spec, suggestions and help go by it. */
export const selectionTable = {
  "component-resource": {
    field: "component.resource",
    kind: "identity",
    takes: identityText,
    help: "the resource of an OCM component version, by its identity",
  },
  "component-path": {
    field: "component.path",
    kind: "identities",
    takes: identityText,
    help: "a component reference to follow first; may be repeated",
  },
  platform: {
    field: "indexSelector.platform",
    kind: "text",
    takes: "OS/ARCH[/VARIANT]",
    help: "by the platform that the index states",
  },
  "artifact-type": { field: "indexSelector.artifactType", kind: "text", takes: "GLOB", help: "by effective type" },
  "manifest-annotation": {
    field: "indexSelector.annotations",
    kind: "pairs",
    takes: "KEY=GLOB",
    help: "by annotation; may be repeated",
  },
  match: {
    field: "indexSelector.match",
    kind: "text",
    takes: "One|First|All",
    help: "One: more than one match is an error",
  },
  "media-type": {
    field: "layerSelector.mediaType",
    kind: "text",
    takes: "GLOB",
    help: "by media type",
    otherNames: ["layer-media-type", "layer-type"],
  },
  annotation: {
    field: "layerSelector.annotations",
    kind: "pairs",
    takes: "KEY=GLOB",
    help: "by annotation; may be repeated",
    otherNames: ["layer-annotation"],
  },
  offset: {
    field: "layerSelector.offset",
    kind: "integer",
    takes: "N",
    help: "which of the matching ones Copy and Extract take; -1 is the last",
  },
  operation: { field: "layerSelector.operation", kind: "text", takes: "Extract|Copy|ExtractAll", help: "" },
  layout: { field: "layerSelector.layout", kind: "text", takes: "Merge|LayerPerDir|ManifestPerDir", help: "" },
  filename: {
    field: "layerSelector.filename",
    kind: "text",
    takes: "TEMPLATE",
    help: 'such as "{title}" or "{hex}{ext}"',
  },
  "on-conflict": { field: "layerSelector.onConflict", kind: "text", takes: "Fail|Overwrite|Keep", help: "" },
  symlinks: { field: "layerSelector.symlinks", kind: "text", takes: "Skip|Follow", help: "" },
  ignore: { field: "ignore", kind: "lines", takes: "PATTERN", help: ".gitignore syntax; may be repeated" },
} as const satisfies Readonly<Record<string, SelectionFlag>>;

export type SelectionKind = SelectionFlag["kind"];
type Table = typeof selectionTable;
type Repeated = "pairs" | "lines" | "identities";
type Options = {
  readonly [K in keyof Table]: Table[K]["kind"] extends Repeated
    ? Flag & { readonly type: "string"; readonly multiple: true }
    : Flag & { readonly type: "string"; readonly multiple?: never };
};

const rows = Object.entries(selectionTable) as readonly [keyof Table, SelectionFlag][];
const isRepeated = ({ kind }: SelectionFlag): boolean => ["pairs", "lines", "identities"].includes(kind);

/** The same as flags of a command. */
export const selectionFlags = Object.fromEntries(
  rows.map(([name, row]) => {
    const { takes, help, otherNames = [] } = row;
    return [name, { type: "string", ...(isRepeated(row) && { multiple: true }), takes, help, otherNames }];
  }),
) as Options;

export type SelectionValues = {
  readonly [K in keyof Table]?: Table[K]["kind"] extends Repeated ? string[] | undefined : string | undefined;
};

/** Which of the flags were given, each with its row. */
export function givenFlags(
  values: SelectionValues,
): { name: keyof Table; row: SelectionFlag; value: string | string[] }[] {
  return rows.flatMap(([name, row]) => {
    const value = values[name];
    return value === undefined ? [] : [{ name, row, value }];
  });
}

/** The flag for a field, such as `--platform` for `indexSelector.platform`. */
export function flagOf(field: string): string | undefined {
  const found = rows.find(([, row]) => row.field === field);
  return found && `--${found[0]}`;
}

/** The flags of a whole selector, for sentences. */
export function flagsOf(selector: string): string {
  return rows
    .filter(([, { field }]) => field.startsWith(`${selector}.`))
    .map(([name]) => `--${name}`)
    .join(", ");
}

/** The part of a command's help that is about selecting: all of these flags, by what they are about. */
export const selectionHelp = `What of an OCM component version:
${helpFor("component")}

Which manifests of an index:
${helpFor("indexSelector")}

Which layers, and what happens to them:
${helpFor("layerSelector")}
${helpFor("")}`;

/** For fields of one selector, or of what is not in one. */
function helpFor(selector: "component" | "indexSelector" | "layerSelector" | ""): string {
  const names = rows.filter(([, { field }]) => (field.includes(".") ? field.split(".")[0] : "") === selector);
  return rowsHelp(Object.fromEntries(names.map(([name]) => [name, selectionFlags[name]])));
}
