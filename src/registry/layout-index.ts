import { join } from "node:path";
import { CodedError, messageOf } from "../errors.ts";
import type { Limits } from "../oci/limits.ts";
import { ociIndexType } from "../oci/media-types.ts";
import { parseManifest } from "../oci/schema.ts";
import type { Index } from "../oci/types.ts";
import { readSmall } from "./layout-file.ts";
import { parseJsonObject } from "../text/json.ts";

/** image-spec, annotations.md: the name of an entry of index.json. */
export const refNameKey = "org.opencontainers.image.ref.name";

/** An OCI image layout on disk (image-spec, image-layout.md). */
export interface Layout {
  readonly dir: string;
  /** `oci-layout://PATH` */
  readonly name: string;
  readonly limits: Limits;
}

/** @throws NotFound where `dir` is not a layout; RegistryUnsupported for another version of the format */
export async function readIndex({ dir, name, limits }: Layout): Promise<Index> {
  const marker = await readSmall(join(dir, "oci-layout"), 4096, `${name} is not an image layout: the file oci-layout`);
  let version: unknown;
  try {
    version = parseJsonObject(marker)["imageLayoutVersion"];
  } catch (error) {
    throw new CodedError("ManifestInvalid", `${name}: the file oci-layout ${messageOf(error)}`, { cause: error });
  }
  if (version !== "1.0.0")
    throw new CodedError(
      "RegistryUnsupported",
      `${name}: the layout's version is ${JSON.stringify(version)?.slice(0, 40)}, not "1.0.0"`,
    );
  const parsed = parseManifest(
    await readSmall(join(dir, "index.json"), limits.maxManifestBytes, `${name}: index.json`),
    ociIndexType,
    `${name}: index.json`,
  );
  if (parsed.kind !== "index") throw new CodedError("ManifestInvalid", `${name}: index.json is not an index`);
  return parsed;
}
