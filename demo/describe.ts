import { Parser, type ReadEntry } from "tar";
import type { ArtifactRepositoryStatus } from "../api/v1beta1/status.ts";
import type { RawObject } from "../src/pipeline/object.ts";

const maxFiles = 12;

/** Prints what was selected for every object and what its artifact holds; returns the names of those that failed. */
export async function describeObjects(objects: readonly RawObject[], say: (text?: string) => void): Promise<string[]> {
  const failed: string[] = [];
  for (const { metadata, status } of objects.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const ready = status?.conditions?.find(({ type }) => type === "Ready");
    if (ready?.status !== "True" || status?.artifact === undefined) {
      failed.push(metadata.name);
      say(`✗ ${metadata.name}: ${ready?.message ?? "no status"}\n`);
      continue;
    }
    await describeArtifact(metadata.name, status, say);
  }
  return failed;
}

async function describeArtifact(
  name: string,
  status: ArtifactRepositoryStatus,
  say: (text?: string) => void,
): Promise<void> {
  const { artifact, upstream, conditions = [] } = status;
  const verified = conditions.find(({ type }) => type === "SourceVerified");
  say(`✓ ${name}`);
  say(`    upstream  ${upstream?.url}${upstream?.tag === undefined ? "" : `:${upstream.tag}`}`);
  say(`    selected  ${selection(status)}`);
  if (verified) say(`    verified  ${verified.message}`);
  say(`    revision  ${artifact?.revision}`);
  say(`    artifact  ${artifact?.url}`);
  const files = await filesAt(artifact!.url);
  for (const file of files.slice(0, maxFiles)) say(`              ${file}`);
  if (files.length > maxFiles) say(`              and ${files.length - maxFiles} more files`);
  say();
}

function selection({ selected }: ArtifactRepositoryStatus): string {
  if (selected === undefined) return "nothing";
  const { layerCount, operation, profile, note } = selected;
  const why = profile === undefined ? "" : `, because its layout is ${profile}`;
  return `${layerCount} ${layerCount === 1 ? "layer" : "layers"}, ${operation}${why}${note === undefined ? "" : `; ${note}`}`;
}

/** What a consumer finds in the artifact. */
async function filesAt(url: string): Promise<string[]> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  const files: string[] = [];
  const parser = new Parser({ strict: true });
  const done = new Promise<void>((resolve, reject) => parser.on("end", resolve).on("error", reject));
  parser.on("entry", (entry: ReadEntry) => {
    if (entry.type === "File") files.push(entry.path);
    entry.resume();
  });
  parser.end(Buffer.from(await response.arrayBuffer()));
  await done;
  return files;
}
