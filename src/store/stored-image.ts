import { join } from "node:path";
import { artifactFile } from "./artifact-path.ts";
import { findDirectory } from "./durable.ts";
import { singleLayerImage } from "./image-manifest.ts";
import { tagOfRevision, type SingleLayerImage } from "./store.ts";
import type { ArtifactRecord } from "./record.ts";
import { readState } from "./state.ts";

/** A stored artifact as an OCI artifact, with the path of its layer. */
export interface ImageOnDisk {
  readonly image: SingleLayerImage;
  readonly tag: string | undefined;
  readonly layerPath: string;
}

/** What is stored in the directory of an owner: the current artifact first, then those not deleted yet. */
export async function storedImages(root: string, relative: string): Promise<ImageOnDisk[]> {
  const directory = await findDirectory(root, relative);
  const state = directory === undefined ? undefined : await readState(directory);
  if (directory === undefined || state === undefined) return [];
  return [state.current, ...state.superseded].map((record) => ({
    image: imageOf(record),
    tag: tagOfRevision(record.revision),
    layerPath: join(directory, artifactFile(record.digest)),
  }));
}

function imageOf(record: ArtifactRecord): SingleLayerImage {
  const { config, layerMediaType, layerTitle, annotations } = record.image;
  const form = {
    layerMediaType,
    layerTitle,
    ...(config && { config: { mediaType: config.mediaType, bytes: Buffer.from(config.content, "base64") } }),
  };
  return singleLayerImage(record, form, annotations);
}
