import { CodedError } from "../errors.ts";
import type { Fetcher } from "./content.ts";
import type { Limits } from "./limits.ts";
import { parseHinted, parseManifest } from "./schema.ts";
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
  const { digest, size, data, isHint } = descriptor;
  if (size > maxBytes && !isHint)
    throw new CodedError("ManifestTooLarge", `${digest} is ${size} bytes; at most ${maxBytes} are read here`);
  signal.throwIfAborted();
  if (data !== undefined) return Buffer.from(data, "base64");
  const chunks: Buffer[] = [];
  let read = 0;
  for await (const chunk of (await fetcher.fetch(descriptor, signal)) as AsyncIterable<Buffer>) {
    read += chunk.length;
    if (read > maxBytes)
      throw new CodedError("ManifestTooLarge", `${digest} has more than the ${maxBytes} bytes read here`);
    chunks.push(chunk);
  }
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
  return parseDocument(bytes, descriptor, descriptor.digest);
}

/** Parses what was fetched by `descriptor`. @throws ManifestInvalid naming `name` */
export function parseDocument(bytes: Uint8Array, descriptor: Descriptor, name: string): Manifest | Index {
  return (descriptor.isHint ? parseHinted : parseManifest)(bytes, descriptor.mediaType, name);
}

/** `descriptor` with the size and the type that its content really has. @throws what `fetchManifest` throws */
export async function settled(
  fetcher: Fetcher,
  descriptor: Descriptor,
  limits: Pick<Limits, "maxManifestBytes">,
  signal: AbortSignal,
): Promise<Descriptor> {
  if (!descriptor.isHint) return descriptor;
  const bytes = await fetchAll(fetcher, descriptor, limits.maxManifestBytes, signal);
  return settledBy(descriptor, bytes, parseDocument(bytes, descriptor, descriptor.digest));
}

/** The same, where the content is at hand. */
export function settledBy(descriptor: Descriptor, bytes: Uint8Array, { mediaType }: Manifest | Index): Descriptor {
  const { isHint, ...rest } = descriptor;
  return isHint ? { ...rest, mediaType, size: bytes.length } : descriptor;
}
