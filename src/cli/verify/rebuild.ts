import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { parseObject, repositoryOf } from "../../pipeline/spec.ts";
import { API_VERSION, KIND } from "../../../api/v1beta1/constants.ts";
import type { Derivation } from "../../../api/v1beta1/derivation.ts";
import { cliDefaults, defaultLimits } from "../../config.ts";
import { CodedError } from "../../errors.ts";
import { fetchManifest } from "../../oci/fetch-all.ts";
import type { Descriptor, Digest, StagedBlob } from "../../oci/types.ts";
import { buildArtifact } from "../../pipeline/build.ts";
import { findContent } from "../../pipeline/component.ts";
import { selectContent } from "../../pipeline/select.ts";
import type { CommandIO } from "../command.ts";
import { openSource, type OpenedSource, type SourceFlags } from "../source.ts";
import { firstDifference, type Difference } from "./difference.ts";

export interface RebuildRequest {
  readonly derivation: Derivation;
  /** Where the artifact was pushed to. */
  readonly pushed: OpenedSource;
  readonly root: Descriptor;
  /** Another place to read upstream from, by the same digest. */
  readonly upstream: string | undefined;
  readonly flags: SourceFlags;
  /** An empty scratch directory. */
  readonly dir: string;
}

/** What came of making the artifact again. */
export interface Rebuilt {
  readonly contentDigest: Digest;
  readonly isReproducible: boolean;
  readonly difference: Difference | undefined;
}

/**
 * Makes the artifact again, from upstream's digest and by the attested selection, and compares it with what was pushed.
 * @throws what reading and building throw
 */
export async function rebuild(request: RebuildRequest, io: CommandIO): Promise<Rebuilt> {
  const { derivation, upstream = derivation.upstream.url, flags } = request;
  const source = await openSource(upstream, flags, io);
  try {
    const made = await build(request, source, io);
    const pushed = await fetchPushed(request, io);
    const isAttested = made.contentDigest === derivation.contentDigest;
    const difference = await compare(pushed, made, io.signal);
    const claim = { path: "", what: `the attestation says ${derivation.contentDigest}` };
    return {
      contentDigest: made.contentDigest,
      isReproducible: isAttested && difference === undefined,
      difference: difference ?? (isAttested ? undefined : claim),
    };
  } finally {
    await source.close();
  }
}

/** @throws what reading and building throw */
async function build({ derivation, dir }: RebuildRequest, source: OpenedSource, { signal }: CommandIO) {
  const { selection, upstream: from } = derivation;
  const object = parseObject({
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name: "verify", namespace: cliDefaults.namespace },
    spec: { url: from.url, interval: "1h", ref: { digest: from.digest }, ...selection.spec },
  });
  const { spec } = object;
  const { repository, reference, open } = source;
  const place = reference.kind === "registry" ? reference : undefined;
  const resolved = { tag: from.tag, root: await repository.resolve(from.digest, signal, "read") };
  const common = { spec, repository, resolved, limits: defaultLimits, signal };
  const found = await findContent({ ...common, place, open, verification: undefined });
  await mkdir(join(dir, "rebuilt"));
  const context = {
    ...common,
    found,
    repositoryPath: repositoryOf(spec).repository,
    dir: join(dir, "rebuilt"),
  };
  return (await buildArtifact(context, await selectContent(context))).result.blob;
}

/** The one layer of the artifact, verified on its way to the disk. */
async function fetchPushed({ pushed, root, dir }: RebuildRequest, { signal }: CommandIO): Promise<Fetched> {
  const { repository } = pushed;
  const manifest = await fetchManifest(repository, root, defaultLimits, signal);
  const [layer, ...more] = manifest.kind === "manifest" ? manifest.layers : [];
  if (layer === undefined || more.length > 0)
    throw new CodedError(
      "ManifestInvalid",
      `${repository.name}@${root.digest} does not have one layer, as Strata pushes it`,
    );
  const path = join(dir, "pushed.tar.gz");
  await pipeline(await repository.fetch(layer, signal), createWriteStream(path), { signal });
  return { path, digest: layer.digest, size: layer.size };
}

type Fetched = Pick<StagedBlob, "path" | "digest" | "size">;

async function compare(pushed: Fetched, made: Fetched, signal: AbortSignal): Promise<Difference | undefined> {
  if (pushed.digest === made.digest) return undefined;
  return await firstDifference({ pushed, rebuilt: made }, { limits: defaultLimits, signal });
}
