import { Readable } from "node:stream";
import type { SharedRepository } from "../oci/content.ts";
import { fetchBlob, offersBlob } from "./blobs.ts";
import { isManifest } from "./content-kind.ts";
import { createMemo, fetchManifest, resolveManifest } from "./manifests.ts";
import { contentExists, deleteManifest, mountBlob, moveTag, putManifest } from "./push.ts";
import { listReferrers } from "./referrers.ts";
import type { Session } from "./session.ts";
import { listTags } from "./tags.ts";
import { pushBlob } from "./uploads.ts";

/** The ports of `oci/content.ts` over one session. */
export function openRepository(session: Session): SharedRepository {
  const memo = createMemo(2 * session.access.limits.maxManifestBytes);
  return {
    name: session.name,
    resolve: (reference, signal, next) => resolveManifest({ session, memo, reference, next }, signal),
    fetch: async (descriptor, signal) => {
      // Inline content was checked when its descriptor was parsed.
      if (descriptor.data !== undefined) return oneChunk(Buffer.from(descriptor.data, "base64"));
      if (!isManifest(descriptor)) return await fetchBlob(session, descriptor, signal);
      return oneChunk(await fetchManifest(session, memo, descriptor, signal));
    },
    tags: (signal) => listTags(session, signal),
    referrers: (subject, signal) => listReferrers(session, subject, signal),
    exists: (descriptor, signal) => contentExists(session, descriptor, signal),
    offers: (blob, signal) => offersBlob(session, blob, signal),
    mount: (descriptor, from, signal) => mountBlob(session, descriptor, from, signal),
    pushBlob: (descriptor, open, signal) => pushBlob(session, descriptor, open, signal),
    pushManifest: async (descriptor, bytes, reference, signal) =>
      void (await putManifest(session, { descriptor, bytes, reference }, signal)),
    moveTag: (move, signal) => moveTag(session, move, signal),
    deleteManifest: (digest, signal, subject) => deleteManifest(session, { digest, subject }, signal),
  };
}

const oneChunk = (bytes: Buffer): Readable => Readable.from([bytes], { objectMode: false });
