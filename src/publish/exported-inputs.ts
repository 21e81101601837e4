import type { ExportedInputs } from "../../api/flux/source.ts";
import { UPSTREAM_DIGEST_ANNOTATION, UPSTREAM_URL_ANNOTATION } from "../../api/v1beta1/constants.ts";
import { codeOf, messageOf } from "../errors.ts";
import { tagOfRevision, type Artifact } from "../store/store.ts";

/**
 * `status.exportedInputs` of an ExternalArtifact: where upstream is, and what it was when the artifact was made. A template
 * names it as it names what an OCIArtifactTag provider exports.
 *
 * @param chosen keys of upstream's annotations; those that upstream does not have are left out
 */
export function exportedInputs({ revision, metadata = {} }: Artifact, chosen: readonly string[] = []): ExportedInputs {
  const { [UPSTREAM_URL_ANNOTATION]: url, [UPSTREAM_DIGEST_ANNOTATION]: digest } = metadata;
  const tag = tagOfRevision(revision);
  const annotations = chosen.flatMap((key) => {
    const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
    return value === undefined ? [] : [[key, value] as const];
  });
  return {
    ...(url !== undefined && { url }),
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
    ...(annotations.length > 0 && { annotations: Object.fromEntries(annotations) }),
  };
}

/** Whether the server's ExternalArtifact has `status.exportedInputs`: Flux before 2.10 has no such field. */
export class InputsSupport {
  #isMissing = false;

  /** Writes without the inputs once the server has refused the field; a newer CRD is met after a restart. */
  async write<T>(inputs: ExportedInputs, publish: (supported: ExportedInputs | undefined) => Promise<T>): Promise<T> {
    if (this.#isMissing) return await publish(undefined);
    try {
      return await publish(inputs);
    } catch (error) {
      if (codeOf(error) !== "KubeRejected" || !isUndeclared(messageOf(error))) throw error;
      this.#isMissing = true;
      return await publish(undefined);
    }
  }
}

/** In the words of the API server's server-side apply. */
const isUndeclared = (message: string): boolean => /exportedInputs: field not declared in schema/.test(message);
