import { CodedError } from "../errors.ts";
import { storeOwner, type Identified } from "../pipeline/object.ts";
import type { ArtifactStore, StoredImage } from "../store/store.ts";

/** What is stored for the object, as an OCI artifact. @throws StorageFailed where nothing is there any more */
export async function storedImage(store: ArtifactStore, { key }: Pick<Identified, "key">): Promise<StoredImage> {
  const stored = await store.image(storeOwner({ key }));
  if (stored === undefined)
    throw new CodedError("StorageFailed", `the artifact of ${key.namespace}/${key.name} is gone from the storage`);
  return stored;
}
