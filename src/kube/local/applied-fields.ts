import type { Json } from "../../text/json.ts";
import type { PatchOptions } from "../client.ts";
import type { StoredObject } from "./memory-object.ts";
import { mergePatch, removals } from "./merge-patch.ts";

/** What each field manager applied last, so that a field that it states no longer goes. */
export class AppliedFields {
  /** By uid, then field manager. */
  readonly #fields = new Map<string, Map<string, Json>>();

  remember({ metadata }: StoredObject, options: PatchOptions, stated: StoredObject): void {
    const managers = this.#fields.get(metadata.uid!) ?? new Map<string, Json>();
    this.#fields.set(metadata.uid!, managers.set(managerOf(options), { ...stated }));
  }

  forget({ metadata }: StoredObject): void {
    this.#fields.delete(metadata.uid!);
  }

  /** The object without the fields that this manager applied and does not state any more. */
  without(object: StoredObject, options: PatchOptions, stated: StoredObject): StoredObject {
    const previous = this.#fields.get(object.metadata.uid!)?.get(managerOf(options));
    const withdrawn = previous === undefined ? undefined : removals(previous, { ...stated });
    return withdrawn === undefined ? object : (mergePatch(object, withdrawn) as StoredObject);
  }
}

const managerOf = ({ fieldManager, subresource }: PatchOptions): string => `${fieldManager} ${subresource ?? ""}`;
