import { type Document, isMap, isScalar, isSeq, parseDocument, type YAMLMap } from "yaml";
import { cliDefaults } from "../../config.ts";
import { CodedError, messageOf } from "../../errors.ts";
import { migrateObject, type Origin, originOf, plainValue } from "./spec.ts";

/** What is to be said of one object of the file. */
export interface MigratedObject {
  /** `OCIRepository apps/podinfo` */
  readonly title: string;
  /** `apps/podinfo` */
  readonly key: string;
  readonly migrated: boolean;
  /** It names what is migrated, and was changed to. */
  readonly rewritten: boolean;
  readonly notes: readonly string[];
}

export interface Migration {
  /** The file with its OCIRepositories replaced; every other document is as it was, byte for byte. */
  readonly yaml: string;
  readonly objects: readonly MigratedObject[];
}

type Fields = Readonly<Record<string, unknown>>;

interface Found {
  readonly node: YAMLMap;
  readonly fields: Fields;
  readonly origin: Origin | undefined;
  readonly document: Document;
}

interface Piece {
  readonly text: string;
  readonly document: Document;
  readonly found: readonly Found[];
}

/** @throws InvalidSpec with every problem of the file; nothing is migrated then */
export function migrateDocuments(
  text: string,
  { consumers = false }: { readonly consumers?: boolean } = {},
): Migration {
  const pieces = splitDocuments(text).map(readPiece);
  const found = pieces.flatMap((piece) => piece.found);
  const wanted = new Set(found.filter(({ origin }) => origin !== undefined).map(({ fields }) => keyOf(fields)));
  const problems: string[] = [];
  const objects = found.map((one) => {
    try {
      return describe(one, wanted, consumers);
    } catch (error) {
      problems.push(`${titleOf(one.fields)}: ${messageOf(error)}`);
      return undefined;
    }
  });
  if (problems.length > 0) throw new CodedError("InvalidSpec", problems.join("\n"));
  const known = objects.filter((object) => object !== undefined);
  const changed = new Set(found.filter((_, at) => known[at]!.migrated || known[at]!.rewritten));
  return { yaml: pieces.map((piece) => writePiece(piece, changed)).join(""), objects: known };
}

/** At the markers, which stay with what follows them. */
function splitDocuments(text: string): string[] {
  return text
    .replace(/^\uFEFF/, "")
    .split(/^(?=---(?:\s|$))/m)
    .filter((piece) => piece.trim() !== "");
}

function readPiece(text: string): Piece {
  const document = parseDocument(text, { prettyErrors: true });
  const [problem] = document.errors;
  if (problem !== undefined) throw new CodedError("InvalidSpec", problem.message.split("\n")[0]!, { cause: problem });
  const root = document.contents;
  if (!isMap(root)) return { text, document, found: [] };
  const items: unknown = root.get("items", true);
  const isList = isSeq(items) && String(root.get("kind")).endsWith("List");
  const nodes = isList ? items.items.filter((item) => isMap(item)) : [root];
  const found = nodes.map((node) => {
    const fields = plainValue(node, document) as Fields;
    return { node, fields, origin: originOf(fields), document };
  });
  return { text, document, found };
}

function writePiece({ text, document, found }: Piece, changed: ReadonlySet<Found>): string {
  if (!found.some((one) => changed.has(one))) return text;
  const root = document.contents as YAMLMap;
  if (root.get("kind") === "OCIRepositoryList") {
    root.set("apiVersion", "v1");
    root.set("kind", "List");
  }
  const indentSeq = !/^( *)[^\s#-][^\n]*:[ \t]*\r?\n\1- /m.test(text);
  return document.toString({ lineWidth: 0, indentSeq });
}

function describe(
  { node, fields, origin, document }: Found,
  wanted: ReadonlySet<string>,
  rewrites: boolean,
): MigratedObject {
  const key = keyOf(fields);
  const title = titleOf(fields);
  const about = { title, key, rewritten: false };
  if (origin !== undefined) return { ...about, migrated: true, notes: migrateObject(node, origin, document) };
  const named = referencesIn(fields, metadataOf(fields).namespace).filter((reference) => wanted.has(reference.key));
  const done = rewrites && named.length > 0;
  const notes = named.map((reference) =>
    done
      ? rewriteReference(node, reference)
      : `${pathText(reference.path)} names the ${reference.kind}; write kind: ExternalArtifact there`,
  );
  return { ...about, migrated: false, rewritten: done, notes };
}

interface Reference {
  readonly path: readonly (string | number)[];
  readonly kind: string;
  readonly key: string;
}

/** Where an object names OCIRepositories: sourceRef, chartRef, a Receiver's resources, an Alert's sources, … */
function referencesIn(value: unknown, namespace: string, path: Reference["path"] = []): Reference[] {
  if (Array.isArray(value)) return value.flatMap((item, at) => referencesIn(item, namespace, [...path, at]));
  if (typeof value !== "object" || value === null) return [];
  const fields = value as Fields;
  const { kind, name } = fields;
  const own =
    path.length > 0 && (kind === "OCIRepository" || kind === "ArtifactRepository") && typeof name === "string"
      ? [{ path, kind, key: `${textOr(fields["namespace"], namespace)}/${name}` }]
      : [];
  return [
    ...own,
    ...Object.entries(fields).flatMap(([field, child]) => referencesIn(child, namespace, [...path, field])),
  ];
}

/** `spec.sources[0].sourceRef` */
function pathText(path: Reference["path"]): string {
  return path.map((part, at) => (typeof part === "number" ? `[${part}]` : `${at === 0 ? "" : "."}${part}`)).join("");
}

/** @returns what was changed @throws InvalidSpec where the text belongs to another place too */
function rewriteReference(node: YAMLMap, { path, kind }: Reference): string {
  const place = node.getIn(path, true);
  const field: unknown = isMap(place) ? place.get("kind", true) : undefined;
  if (!isMap(place) || !isScalar(field))
    throw new CodedError("InvalidSpec", `${pathText(path)} is written by an alias or merge key; write it out`);
  field.value = "ExternalArtifact";
  // Older versions of the group do not have the kind.
  if (place.has("apiVersion")) place.set("apiVersion", "source.toolkit.fluxcd.io/v1");
  return `${pathText(path)} named the ${kind}, and names the ExternalArtifact now`;
}

function metadataOf(fields: Fields): { name: string; namespace: string } {
  const metadata = fields["metadata"];
  const { name, namespace } = (typeof metadata === "object" && metadata !== null ? metadata : {}) as Fields;
  return { name: textOr(name, "(without a name)"), namespace: textOr(namespace, cliDefaults.namespace) };
}

function keyOf(fields: Fields): string {
  const { name, namespace } = metadataOf(fields);
  return `${namespace}/${name}`;
}

function titleOf(fields: Fields): string {
  return `${textOr(fields["kind"], "an object")} ${keyOf(fields)}`;
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === "string" && value !== "" ? value : fallback;
}
