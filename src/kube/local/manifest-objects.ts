import { isObject, type Json } from "../../text/json.ts";
import type { ResourceType } from "../../../api/kinds.ts";
import { LineCounter, parseAllDocuments, type Document } from "yaml";
import { IMAGE_API_VERSION } from "../../../api/flux/image.ts";
import { GROUP, KIND, PLURAL, VERSION } from "../../../api/v1beta1/constants.ts";
import type { KubeObject } from "../client.ts";

/** An object out of a manifest file. */
export interface ManifestObject {
  readonly type: ResourceType;
  readonly object: KubeObject;
  /** `file:line`. */
  readonly where: string;
}

export interface Manifests {
  readonly objects: readonly ManifestObject[];
  /** What could not be read, each with file and line. Contents are never quoted: they may be Secrets. */
  readonly problems: readonly string[];
}

const [imageGroup = "", imageVersion = ""] = IMAGE_API_VERSION.split("/");

/** The kinds that are read; everything else in a manifest is somebody else's. Only what nobody here writes may come with a status. */
const kinds: readonly { readonly type: ResourceType; readonly fields: readonly string[] }[] = [
  { type: { group: GROUP, version: VERSION, plural: PLURAL, kind: KIND }, fields: ["spec"] },
  {
    type: { group: imageGroup, version: imageVersion, plural: "imagepolicies", kind: "ImagePolicy" },
    fields: ["spec", "status"],
  },
  { type: { group: "", version: "v1", plural: "secrets", kind: "Secret" }, fields: ["type", "data", "stringData"] },
  {
    type: { group: "", version: "v1", plural: "serviceaccounts", kind: "ServiceAccount" },
    fields: ["imagePullSecrets"],
  },
];

/** More documents than this are not manifests. */
const maxDocuments = 10_000;
/** How many aliases a document may have: YAML's anchors can make gigabytes of a few lines. */
const maxAliasCount = 100;

/** The objects in a YAML or JSON text; `path` is for messages. One bad document does not spoil the others. */
export function parseManifests(text: string, path: string): Manifests {
  const lines = new LineCounter();
  const documents: readonly Document[] = [
    ...parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true }),
  ];
  if (documents.length > maxDocuments)
    return { objects: [], problems: [`${path}: ${documents.length} documents; a file has at most ${maxDocuments}`] };
  const objects: ManifestObject[] = [];
  const problems: string[] = [];
  for (const document of documents) {
    const error = document.errors[0];
    const line = (offset: number): string => `${path}:${lines.linePos(offset).line}`;
    if (error !== undefined) problems.push(`${line(error.pos[0])}: this is not valid YAML (${error.code})`);
    else readDocument(document, line(document.contents?.range?.[0] ?? 0), { objects, problems });
  }
  return { objects, problems };
}

function readDocument(
  document: Document,
  where: string,
  into: { readonly objects: ManifestObject[]; readonly problems: string[] },
): void {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount });
  } catch {
    into.problems.push(`${where}: too many aliases, or aliases of nothing; write the values out`);
    return;
  }
  for (const item of itemsOf(value)) {
    const read = readObject(item, where);
    if (typeof read === "string") into.problems.push(`${where}: ${read}`);
    else if (read !== undefined) into.objects.push(read);
  }
}

/** The items of a `kind: List`, or the document itself. */
function itemsOf(value: unknown): readonly unknown[] {
  if (value === null || value === undefined) return [];
  const isList =
    isObject(value) && value["apiVersion"] === "v1" && value["kind"] === "List" && Array.isArray(value["items"]);
  return isList ? (value["items"] as unknown[]) : [value];
}

/** Undefined for a kind that is not ours; a text for what is wrong. */
function readObject(value: unknown, where: string): ManifestObject | string | undefined {
  if (!isObject(value) || typeof value["apiVersion"] !== "string" || typeof value["kind"] !== "string")
    return "a manifest has apiVersion and kind";
  const { apiVersion, kind } = value as { readonly apiVersion: string; readonly kind: string };
  const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.lastIndexOf("/")) : "";
  const known = kinds.find(({ type }) => type.group === group && type.kind === kind);
  if (known === undefined) return undefined;
  const { type } = known;
  const expected = group === "" ? type.version : `${group}/${type.version}`;
  // Flux has had the ImagePolicy in several versions, whose status reads the same.
  if (apiVersion !== expected && kind !== "ImagePolicy")
    return `${kind} has the apiVersion ${expected}, not ${apiVersion}`;
  const metadata = readMetadata(value["metadata"]);
  if (typeof metadata === "string") return `${kind}: ${metadata}`;
  return { type, object: { apiVersion: expected, kind, metadata, ...contentOf(value, known) }, where };
}

function contentOf(value: Json, { type, fields }: (typeof kinds)[number]): Json {
  const content = Object.fromEntries(
    fields.flatMap((field) => (value[field] === undefined ? [] : [[field, value[field]]])),
  );
  return type.kind === "Secret" ? asStored(content) : content;
}

function readMetadata(value: unknown): KubeObject["metadata"] | string {
  if (!isObject(value)) return "it has no metadata";
  const { name, namespace = "default", labels = {}, annotations = {} } = value;
  if (typeof name !== "string") return "metadata.name is missing, or not text";
  if (typeof namespace !== "string") return "metadata.namespace is not text";
  if (!isTexts(labels) || !isTexts(annotations))
    return "labels and annotations are texts; put numbers and booleans in quotes";
  return { name, namespace, labels, annotations };
}

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  return isObject(value) && Object.values(value).every((text) => typeof text === "string");
}

/** The API server folds `stringData` into `data`. */
function asStored({ type = "Opaque", data, stringData }: Json): Json {
  const folded = Object.entries(isObject(stringData) ? stringData : {}).map(([key, text]) => [
    key,
    Buffer.from(String(text)).toString("base64"),
  ]);
  return { type, data: { ...(isObject(data) ? data : {}), ...Object.fromEntries(folded) } };
}
