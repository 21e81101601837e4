import { CodedError } from "../errors.ts";
import type { Fetcher } from "./content.ts";
import type { Limits } from "./limits.ts";
import { parseManifest } from "./schema.ts";
import type { Descriptor, Index, Manifest } from "./types.ts";

/**
 * The whole content of a small descriptor: a manifest, a config, a signature. Inline `data` saves the request.
 *
 * @param maxBytes what the caller is ready to hold; a larger descriptor is refused before anything is fetched
 * @throws ManifestTooLarge, what the fetcher throws, the reason of `signal`
 */
export async function fetchAll(
  fetcher: Fetcher,
  descriptor: Descriptor,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const { digest, size, data } = descriptor;
  if (size > maxBytes)
    throw new CodedError("ManifestTooLarge", `${digest} is ${size} bytes; at most ${maxBytes} are read here`);
  signal.throwIfAborted();
  if (data !== undefined) return Buffer.from(data, "base64");
  const chunks: Buffer[] = [];
  for await (const chunk of (await fetcher.fetch(descriptor, signal)) as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** @throws ManifestInvalid, and what `fetchAll` throws */
export async function fetchManifest(
  fetcher: Fetcher,
  descriptor: Descriptor,
  limits: Pick<Limits, "maxManifestBytes">,
  signal: AbortSignal,
): Promise<Manifest | Index> {
  const bytes = await fetchAll(fetcher, descriptor, limits.maxManifestBytes, signal);
  return parseManifest(bytes, descriptor.mediaType, descriptor.digest);
}
