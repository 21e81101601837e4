import { readFile, stat } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { parseAllDocuments } from "yaml";
import { KIND } from "../../api/v1beta1/constants.ts";
import { CodedError, messageOf } from "../errors.ts";

/** Manifests are written by people. */
const maxBytes = 4 * 1024 * 1024;

/** A document of a manifest file, not yet checked. */
export interface ManifestDocument {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly object: Readonly<Record<string, unknown>>;
}

/** The documents of a YAML or JSON file; `-` is standard input. @throws InvalidSpec */
export async function readManifests(path: string, stdin: AsyncIterable<Uint8Array> = process.stdin): Promise<ManifestDocument[]> {
  const content = await readManifestText(path, stdin);
  return parseAllDocuments(content, { maxAliasCount: 100 } as object).flatMap((document) => {
    const [problem] = document.errors;
    if (problem !== undefined) throw new CodedError("InvalidSpec", `${path}: ${problem.message.split("\n")[0]}`, { cause: problem });
    return documentOf(document.toJS({ maxAliasCount: 100 }) as unknown);
  });
}

/** The one ArtifactRepository among them. @throws InvalidSpec */
export function onlyArtifactRepository(documents: readonly ManifestDocument[], path: string): ManifestDocument {
  const found = documents.filter(({ kind }) => kind === KIND);
  if (found.length === 1) return found[0]!;
  const kinds = documents.map(({ kind, name }) => `${kind} ${name}`).join(", ") || "nothing";
  throw new CodedError("InvalidSpec", `${path} has ${found.length} objects of kind ${KIND} (found: ${kinds}); build takes a file with one`);
}

/** The text of such a file. @throws InvalidSpec */
export async function readManifestText(path: string, stdin: AsyncIterable<Uint8Array> = process.stdin): Promise<string> {
  try {
    if (path === "-") return await text(stdin);
    const { size } = await stat(path);
    if (size > maxBytes) throw new CodedError("InvalidSpec", `${path} has ${size} bytes; a manifest file has at most ${maxBytes}`);
    return await readFile(path, "utf8");
  } catch (error) {
    throw error instanceof CodedError ? error : new CodedError("InvalidSpec", `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function documentOf(value: unknown): ManifestDocument[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  const object = value as Record<string, unknown>;
  const metadata = (typeof object["metadata"] === "object" && object["metadata"] !== null ? object["metadata"] : {}) as Record<string, unknown>;
  return [{ kind: textOr(object["kind"], ""), name: textOr(metadata["name"], ""), namespace: textOr(metadata["namespace"], "default"), object }];
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === "string" && value !== "" ? value : fallback;
}
