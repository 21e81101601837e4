import { constants, createReadStream } from "node:fs";
import { join } from "node:path";
import { artifactFile } from "./artifact-path.ts";
import { findDirectory } from "./durable.ts";
import { singleLayerImage } from "./manifest.ts";
import type { SingleLayerImage, StoredImage } from "./publisher.ts";
import { tagOfRevision, type ArtifactRecord } from "./record.ts";
import { readState } from "./state.ts";

/** What is stored for an owner, as OCI artifacts: the current one first, then those not deleted yet. */
export async function storedImages(root: string, relative: string): Promise<StoredImage[]> {
  const directory = await findDirectory(root, relative);
  const state = directory === undefined ? undefined : await readState(directory);
  if (directory === undefined || state === undefined) return [];
  return [state.current, ...state.superseded].map((record) => ({
    image: imageOf(record),
    tag: tagOfRevision(record.revision),
    openLayer: (offset) => createReadStream(join(directory, artifactFile(record.digest)), { start: offset, flags: readFlags }),
  }));
}

// The type of the option knows no numbers, although open(2)'s are what Node takes.
const readFlags = (constants.O_RDONLY | constants.O_NOFOLLOW) as unknown as string;

function imageOf(record: ArtifactRecord): SingleLayerImage {
  const { config, layerMediaType, annotations } = record.image;
  const form = { layerMediaType, ...(config && { config: { mediaType: config.mediaType, bytes: Buffer.from(config.content, "base64") } }) };
  return singleLayerImage(record, form, annotations);
}
