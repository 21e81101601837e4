import { titleKey } from "../oci/annotations.ts";
import type { Descriptor } from "../oci/types.ts";
import { isObject, parseJsonObject } from "../text/json.ts";
import type { NamePlace } from "./profile.ts";

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
    annotations?.[titleKey] ||
    undefined
  );
}

interface ModelFile {
  readonly stem: string;
  readonly ext: string;
  /** Whether several are parts of one model; other files of one name are told apart like any. */
  readonly isSharded?: true;
}

/** As `docker model` unpacks them. It leaves licences and adapters out. */
const modelFiles: Readonly<Record<string, ModelFile>> = {
  "application/vnd.docker.ai.gguf.v3": { stem: "model", ext: ".gguf", isSharded: true },
  "application/vnd.docker.ai.safetensors": { stem: "model", ext: ".safetensors", isSharded: true },
  "application/vnd.docker.ai.dduf": { stem: "model", ext: ".dduf" },
  "application/vnd.docker.ai.gguf.v3.lora": { stem: "lora", ext: ".gguf" },
  "application/vnd.docker.ai.gguf.v3.mmproj": { stem: "model", ext: ".mmproj" },
  "application/vnd.docker.ai.mmproj": { stem: "model", ext: ".mmproj" },
  "application/vnd.docker.ai.chat.template.jinja": { stem: "template", ext: ".jinja" },
  "application/vnd.docker.ai.license": { stem: "LICENSE", ext: "" },
};

/** Docker model: the path where the layer has one, else the usual name, with the number of its shard where there are several. */
export function dockerModelName(layer: Descriptor, { content }: NamePlace): string | undefined {
  const known = filePath(layer);
  const file = modelFiles[layer.mediaType];
  if (known !== undefined || file === undefined) return known;
  if (file.isSharded !== true) return `${file.stem}${file.ext}`;
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

/** Tekton: the object's kind and name, which its layer states; the file in the layer has no extension. */
export function tektonName({ annotations }: Descriptor): string | undefined {
  const kind = annotations?.["dev.tekton.image.kind"];
  const name = annotations?.["dev.tekton.image.name"];
  return kind && name ? `${flat(kind).toLowerCase()}-${flat(name)}.yaml` : undefined;
}

/** PyOCI: the platform's architecture is what follows the version in the name of a distribution (PEP 427 and 625). */
export function pyociName(_: Descriptor, { node, tag, repository }: NamePlace): string | undefined {
  const ending = node.descriptor.platform?.architecture;
  const name = repository.slice(repository.lastIndexOf("/") + 1).replace(/[-_.]+/g, "_");
  if (!ending || !tag) return undefined;
  return flat(ending.startsWith(".") ? `${name}-${tag}${ending}` : `${name}-${tag}-${ending}`);
}

/** ModelPack: `{"name":…,"mode":493,…}`, under its old and its new name. */
export function isModelProgram({ annotations }: Descriptor): boolean {
  const metadata =
    annotations?.["org.cncf.model.file.metadata+json"] || annotations?.["org.cnai.model.file.metadata+json"];
  if (!metadata) return false;
  try {
    const { mode } = parseJsonObject(metadata, { maxBytes: 64 * 1024 });
    return typeof mode === "number" && Number.isSafeInteger(mode) && (mode & 0o111) !== 0;
  } catch {
    return false;
  }
}

/** Docker model: the runtime's configuration is one field of the config. */
export function dockerModelConfig(config: Buffer): Record<string, string> {
  const { config: runtime } = parseJsonObject(config);
  return isObject(runtime) ? { "config.json": `${JSON.stringify(runtime)}\n` } : {};
}

function padded(number: number): string {
  return String(number).padStart(5, "0");
}

/** One path part. */
function flat(text: string): string {
  return text.replaceAll("/", "-");
}
