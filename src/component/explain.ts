import { CodedError } from "../errors.ts";
import type { Fetcher } from "../oci/content.ts";
import { fetchManifest } from "../oci/fetch-all.ts";
import type { Descriptor } from "../oci/types.ts";
import { looksLikeComponent, readComponent, type ReadOptions } from "./read.ts";
import { onlyResource } from "./resolve.ts";

const unclear: ReadonlySet<string> = new Set(["AmbiguousManifest", "AmbiguousLayer"]);

/**
 * Why a selection failed. Of a component version nobody means a layer by its offset: then it is the refusal that lists its
 * resources, and the lines that take one.
 *
 * @returns AmbiguousResource, NoResourceMatch, or `error` where the root is not a component version that can be read
 */
export async function inComponentTerms(
  error: unknown,
  fetcher: Fetcher & { readonly name: string },
  root: Descriptor,
  options: ReadOptions,
): Promise<unknown> {
  if (!(error instanceof CodedError) || !unclear.has(error.code)) return error;
  try {
    if (!looksLikeComponent(await fetchManifest(fetcher, root, options.limits, options.signal))) return error;
    onlyResource(await readComponent(fetcher, root, options), {});
  } catch (refusal) {
    options.signal.throwIfAborted();
    const isRefusal = refusal instanceof CodedError && /^(?:AmbiguousResource|NoResourceMatch)$/.test(refusal.code);
    return isRefusal ? refusal : error;
  }
  return error;
}
