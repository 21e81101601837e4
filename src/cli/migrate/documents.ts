import { type Document, isMap, isSeq, parseDocument, type YAMLMap } from "yaml";
import { CodedError, messageOf } from "../../errors.ts";
import { migrateObject, type Origin, originOf, plainValue } from "./spec.ts";

/** What is to be said of one object of the file. */
export interface MigratedObject {
  /** `OCIRepository apps/podinfo` */
  readonly title: string;
  /** `apps/podinfo` */
  readonly key: string;
  readonly migrated: boolean;
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
export function migrateDocuments(text: string): Migration {
  const pieces = splitDocuments(text).map(readPiece);
  const found = pieces.flatMap((piece) => piece.found);
  const wanted = new Set(found.filter(({ origin }) => origin !== undefined).map(({ fields }) => keyOf(fields)));
  const problems: string[] = [];
  const objects = found.map((one) => {
    try {
      return describe(one, wanted);
    } catch (error) {
      problems.push(`${titleOf(one.fields)}: ${messageOf(error)}`);
      return undefined;
    }
  });
  if (problems.length > 0) throw new CodedError("InvalidSpec", problems.join("\n"));
  return { yaml: pieces.map(writePiece).join(""), objects: objects.filter((object) => object !== undefined) };
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

function writePiece({ text, document, found }: Piece): string {
  if (!found.some(({ origin }) => origin !== undefined)) return text;
  const root = document.contents as YAMLMap;
  if (root.get("kind") === "OCIRepositoryList") {
    root.set("apiVersion", "v1");
    root.set("kind", "List");
  }
  const indentSeq = !/^( *)[^\s#-][^\n]*:[ \t]*\r?\n\1- /m.test(text);
  return document.toString({ lineWidth: 0, indentSeq });
}

function describe({ node, fields, origin, document }: Found, wanted: ReadonlySet<string>): MigratedObject {
  const key = keyOf(fields);
  const title = titleOf(fields);
  if (origin !== undefined) return { title, key, migrated: true, notes: migrateObject(node, origin, document) };
  const consumers = referencesIn(fields, metadataOf(fields).namespace).filter((reference) => wanted.has(reference.key));
  return {
    title,
    key,
    migrated: false,
    notes: consumers.map(({ path, kind }) => `${path} names the ${kind}; write kind: ExternalArtifact there`),
  };
}

interface Reference {
  readonly path: string;
  readonly kind: string;
  readonly key: string;
}

/** Where an object names OCIRepositories: sourceRef, chartRef, a Receiver's resources, an Alert's sources, … */
function referencesIn(value: unknown, namespace: string, path = ""): Reference[] {
  if (Array.isArray(value)) return value.flatMap((item, at) => referencesIn(item, namespace, `${path}[${at}]`));
  if (typeof value !== "object" || value === null) return [];
  const fields = value as Fields;
  const { kind, name } = fields;
  const own =
    path !== "" && (kind === "OCIRepository" || kind === "ArtifactRepository") && typeof name === "string"
      ? [{ path, kind, key: `${textOr(fields["namespace"], namespace)}/${name}` }]
      : [];
  return [
    ...own,
    ...Object.entries(fields).flatMap(([field, child]) =>
      referencesIn(child, namespace, path === "" ? field : `${path}.${field}`),
    ),
  ];
}

function metadataOf(fields: Fields): { name: string; namespace: string } {
  const metadata = fields["metadata"];
  const { name, namespace } = (typeof metadata === "object" && metadata !== null ? metadata : {}) as Fields;
  return { name: textOr(name, "(without a name)"), namespace: textOr(namespace, "default") };
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
