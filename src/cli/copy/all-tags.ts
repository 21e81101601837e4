import { type CopyCounts, noCounts } from "../../copy/graph.ts";
import { CodedError } from "../../errors.ts";
import { isAbsence } from "../../oci/absence.ts";
import { formatReference } from "../../oci/reference.ts";
import { paint } from "../screen.ts";
import { plain } from "../terminal.ts";
import type { CommandIO } from "../command.ts";
import { copyGraph, type Job } from "./graph.ts";

export interface AllTags extends CopyCounts {
  readonly source: string;
  readonly target: string;
  readonly dryRun?: true;
  readonly tags: readonly { readonly tag: string; readonly digest: string; readonly target: string }[];
  /** Tags that were listed and are not there, or not whole. */
  readonly failed: readonly { readonly tag: string; readonly code: string; readonly message: string }[];
}

/** Copies every tag, one after the other. What is gone by its turn is told of; any other failure ends it. @throws as `GraphCopy` */
export async function copyAllTags(job: Job, io: CommandIO): Promise<AllTags> {
  const { source, target, dryRun } = job;
  const tags: AllTags["tags"][number][] = [];
  const failed: AllTags["failed"][number][] = [];
  let counts = noCounts();
  const fail = (tag: string, error: CodedError): void => {
    failed.push({ tag, code: error.code, message: error.message });
    io.stderr.write(`${paint(io.err, "bad", "error:")} ${plain(`tag ${tag}: ${error.message}`)} [${error.code}]\n`);
  };
  for (const tag of await tagsOf(job, io.signal)) {
    try {
      const root = await source.repository.resolve(tag, io.signal, "read");
      counts = sum(counts, await copyGraph(job, { root, tag }, io));
      const copied = formatReference({ ...target.reference, tag, digest: root.digest });
      tags.push({ tag, digest: root.digest, target: copied });
    } catch (error) {
      if (!(error instanceof CodedError) || !isAbsence(error)) throw error;
      fail(tag, error);
    }
  }
  const [from, to] = [source.reference, target.reference].map(formatReference) as [string, string];
  return { source: from, target: to, ...(dryRun && { dryRun }), tags, failed, ...counts };
}

/** Listed to the end before anything is written: a copy within one registry must not meet its own tags. */
async function tagsOf({ source }: Job, signal: AbortSignal): Promise<string[]> {
  const tags: string[] = [];
  for await (const page of source.repository.tags(signal)) tags.push(...page);
  return tags;
}

function sum(left: CopyCounts, right: CopyCounts): CopyCounts {
  const names = Object.keys(left) as (keyof CopyCounts)[];
  return Object.fromEntries(names.map((name) => [name, left[name] + right[name]])) as unknown as CopyCounts;
}
