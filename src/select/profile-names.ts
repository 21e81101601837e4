import type { Descriptor } from "../oci/types.ts";

/** How known layouts name raw layers. What comes out is made safe where it becomes a path. */

/** Kyverno: `<kind>-<name>.yaml`, since its layers carry no file name. */
export function kyvernoName({ annotations }: Descriptor): string | undefined {
  const kind = annotations?.["io.kyverno.image.kind"];
  const name = annotations?.["io.kyverno.image.name"];
  return kind && name ? `${flat(kind).toLowerCase()}-${flat(name)}.yaml` : undefined;
}

/** Compose: the annotations hold file names; a path from the publisher's machine counts for its last part. */
export function composeName({ annotations }: Descriptor): string | undefined {
  const name = annotations?.["com.docker.compose.file"] || annotations?.["com.docker.compose.envfile"];
  return name?.startsWith("/") ? flat(name.slice(name.lastIndexOf("/") + 1)) : name;
}

/** ModelPack, under its old and its new name: the annotation is the path. */
export function filePath({ annotations }: Descriptor): string | undefined {
  return (
    annotations?.["org.cncf.model.filepath"] ||
    annotations?.["org.cnai.model.filepath"] ||
    annotations?.["org.opencontainers.image.title"] ||
    undefined
  );
}

const modelFiles: Readonly<Record<string, { readonly stem: string; readonly ext: string }>> = {
  "application/vnd.docker.ai.gguf.v3": { stem: "model", ext: ".gguf" },
  "application/vnd.docker.ai.safetensors": { stem: "model", ext: ".safetensors" },
  "application/vnd.docker.ai.gguf.v3.lora": { stem: "lora", ext: ".gguf" },
  "application/vnd.docker.ai.gguf.v3.mmproj": { stem: "mmproj", ext: ".gguf" },
  "application/vnd.docker.ai.mmproj": { stem: "mmproj", ext: ".gguf" },
  "application/vnd.docker.ai.chat.template.jinja": { stem: "chat_template", ext: ".jinja" },
  "application/vnd.docker.ai.license": { stem: "LICENSE", ext: "" },
};

/** Docker model: the path where the layer has one, else the usual name, with the number of its shard where there are several. */
export function dockerModelName(layer: Descriptor, content: readonly Descriptor[]): string | undefined {
  const known = filePath(layer);
  const file = modelFiles[layer.mediaType];
  if (known !== undefined || file === undefined) return known;
  const shards = shardsOf(content).get(layer.mediaType)!;
  if (shards.size === 1) return `${file.stem}${file.ext}`;
  return `${file.stem}-${padded(shards.get(layer)!)}-of-${padded(shards.size)}${file.ext}`;
}

/** The same content may stand there twice: its place, not its digest, makes the number. */
type Shards = ReadonlyMap<string, ReadonlyMap<Descriptor, number>>;
const counted = new WeakMap<readonly Descriptor[], Shards>();

function shardsOf(content: readonly Descriptor[]): Shards {
  let shards = counted.get(content);
  if (shards === undefined) {
    const byType = new Map<string, Map<Descriptor, number>>();
    for (const layer of content) {
      const ofType = byType.get(layer.mediaType) ?? new Map<Descriptor, number>();
      byType.set(layer.mediaType, ofType.set(layer, ofType.size + 1));
    }
    shards = byType;
    counted.set(content, shards);
  }
  return shards;
}

/** In-toto statements: the predicate's type, such as `slsa.dev-provenance-v1.json`. */
export function attestationName({ annotations }: Descriptor): string | undefined {
  const predicate = annotations?.["in-toto.io/predicate-type"];
  return predicate ? `${flat(predicate.replace(/^https?:\/\//, ""))}.json` : undefined;
}

function padded(number: number): string {
  return String(number).padStart(5, "0");
}

/** One path part. */
function flat(text: string): string {
  return text.replaceAll("/", "-");
}
