import { createReadStream } from "node:fs";
import { KIND } from "../../api/v1beta1/constants.ts";
import { CodedError, messageOf } from "../errors.ts";
import { type ManifestObject, parseManifests } from "../kube/local/manifest-objects.ts";

/** Manifests are written by people. */
const maxBytes = 4 * 1024 * 1024;

/** The objects of a YAML or JSON file, as `strata serve` reads them; `-` is standard input. @throws InvalidSpec */
export async function readManifests(
  path: string,
  stdin: AsyncIterable<Uint8Array>,
): Promise<readonly ManifestObject[]> {
  const { objects, problems } = parseManifests(await readManifestText(path, stdin), path);
  if (problems.length > 0) throw new CodedError("InvalidSpec", problems.join("\n"));
  return objects;
}

/** The one ArtifactRepository among them. @throws InvalidSpec */
export function onlyArtifactRepository(objects: readonly ManifestObject[], path: string): ManifestObject {
  const found = objects.filter(({ type }) => type.kind === KIND);
  if (found.length === 1) return found[0]!;
  const advice =
    found.length > 1
      ? `at ${found.map(({ where }) => where).join(", ")}; keep one`
      : "an OCIRepository becomes one with strata migrate";
  throw new CodedError(
    "InvalidSpec",
    `${path} has ${found.length} objects of kind ${KIND}, and one is built: ${advice}`,
  );
}

/** The text of such a file. @throws InvalidSpec */
export async function readManifestText(path: string, stdin: AsyncIterable<Uint8Array>): Promise<string> {
  try {
    return await textOf(path === "-" ? stdin : (createReadStream(path) as AsyncIterable<Uint8Array>));
  } catch (error) {
    throw new CodedError("InvalidSpec", `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

async function textOf(content: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`it is longer than the ${maxBytes} bytes that manifests may have`);
    chunks.push(chunk);
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
}
