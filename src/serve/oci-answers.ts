import { isDigest, sha256Of } from "../oci/digest.ts";
import { ociIndexType } from "../oci/media-types.ts";
import type { Digest } from "../oci/types.ts";
import { fileContent, memoryContent, type Content } from "./send-content.ts";
import type { ImageOnDisk } from "../store/stored-image.ts";

/** distribution-spec v1.1, "Error Codes"; UNAVAILABLE and PAGINATION_NUMBER_INVALID are Docker's. */
export interface Refusal {
  readonly status: number;
  readonly error: { readonly code: string; readonly message: string };
  readonly headers: Readonly<Record<string, string>>;
}

export function refusal(status: number, code: string, message: string, headers: Refusal["headers"] = {}): Refusal {
  return { status, error: { code, message }, headers };
}

/** A question about one repository; `images` are what it holds, newest first. */
export interface Question {
  readonly name: string;
  readonly reference: string;
  readonly query: URLSearchParams;
  readonly images: readonly ImageOnDisk[];
  /** Told of a stored file that is not there, or not of its size. */
  readonly missed: (digest: Digest) => void;
}

export type Answer = (question: Question) => Promise<Content | Refusal> | Content | Refusal;

function tagsOf(images: readonly ImageOnDisk[]): string[] {
  const tag = images[0]?.tag;
  return [...new Set(["latest", ...(tag === undefined ? [] : [tag])])].sort();
}

/** The newest artifact has the tag of its revision and `latest`; superseded ones have only their digest. */
export const manifest: Answer = ({ images, reference }) => {
  const [newest] = images;
  const found = tagsOf(images).includes(reference)
    ? newest
    : images.find(({ image }) => image.descriptor.digest === reference);
  if (found === undefined) return refusal(404, "MANIFEST_UNKNOWN", `there is no manifest ${reference.slice(0, 150)}`);
  const { descriptor, bytes } = found.image;
  return memoryContent(bytes, descriptor.digest, {
    "content-type": descriptor.mediaType,
    "docker-content-digest": descriptor.digest,
  });
};

export const blob: Answer = async ({ images, reference, missed }) => {
  if (!isDigest(reference)) return refusal(400, "DIGEST_INVALID", "blobs are asked for by digest");
  return (
    (await blobContent(images, reference, missed)) ?? refusal(404, "BLOB_UNKNOWN", `there is no blob ${reference}`)
  );
};

async function blobContent(
  images: readonly ImageOnDisk[],
  digest: Digest,
  missed: Question["missed"],
): Promise<Content | undefined> {
  const headers = { "content-type": "application/octet-stream", "docker-content-digest": digest };
  const ofLayer = images.find(({ image }) => image.layer.digest === digest);
  if (ofLayer) {
    const { size } = ofLayer.image.layer;
    const content = await fileContent({ path: ofLayer.layerPath, digest, size }, headers);
    if (content === undefined) missed(digest);
    return content;
  }
  const ofConfig = images.find(({ image }) => image.config.digest === digest);
  return ofConfig && memoryContent(ofConfig.image.configBytes, digest, headers);
}

/** distribution-spec, "Listing Tags": in order, `n` at most, after `last`. */
export const tagList: Answer = ({ name, images, query }) => {
  const asked = query.get("n");
  if (asked !== null && !/^\d{1,9}$/.test(asked)) return refusal(400, "PAGINATION_NUMBER_INVALID", "n is a number");
  const last = query.get("last");
  const rest = tagsOf(images).filter((tag) => last === null || tag > last);
  const tags = rest.slice(0, asked === null ? rest.length : Number(asked));
  const final = tags.at(-1);
  const more = final !== undefined && tags.length < rest.length;
  return json(
    { name, tags },
    more
      ? {
          link: `</v2/${name}/tags/list?${new URLSearchParams({ n: asked ?? "", last: final }).toString()}>; rel="next"`,
        }
      : {},
  );
};

/** Nothing refers to what is published here; an answer of 404 would only send clients to a fallback tag. */
export function referrers(reference: string): Content | Refusal {
  if (!isDigest(reference)) return refusal(400, "DIGEST_INVALID", "referrers are asked for by digest");
  return json({ schemaVersion: 2, mediaType: ociIndexType, manifests: [] }, { "content-type": ociIndexType });
}

export function json(value: object, headers: Readonly<Record<string, string>> = {}): Content {
  const bytes = Buffer.from(JSON.stringify(value));
  return memoryContent(bytes, sha256Of(bytes), { "content-type": "application/json", ...headers });
}
