import type { CopyCounts } from "../../copy/graph.ts";
import { counted } from "../../text/count.ts";
import { fold } from "../../text/fit.ts";
import { formatBytes } from "../output.ts";
import type { Screen } from "../screen.ts";
import { plain } from "../terminal.ts";
import type { AllTags } from "./all-tags.ts";

/** What was copied, or would be. */
export function doneText(
  done: CopyCounts & { readonly target: string; readonly dryRun?: boolean },
  screen: Screen,
): string {
  const isDry = done.dryRun === true;
  return block([`${isDry ? "would copy" : "copied    "} ${plain(done.target)}`, ...countLines(done, isDry)], screen);
}

export function allTagsText(done: AllTags, screen: Screen): string {
  const isDry = done.dryRun === true;
  const lines = [
    ...done.tags.map(({ target }) => `${isDry ? "would copy" : "copied    "} ${plain(target)}`),
    `tags       ${done.tags.length}${done.failed.length === 0 ? "" : `, and ${done.failed.length} failed`}`,
    ...countLines(done, isDry),
  ];
  return block(lines, screen);
}

function countLines(counts: CopyCounts, isDry: boolean): string[] {
  const { manifests, referrers, undistributable } = counts;
  const blobs = [
    `${formatBytes(counts.bytes)} ${isDry ? "to send" : "sent"}`,
    ...(counts.mounted > 0 ? [`${counts.mounted} ${isDry ? "to mount" : "mounted"}`] : []),
    ...(counts.present > 0 ? [`${counts.present} there already`] : []),
  ];
  return [
    `manifests  ${manifests}${referrers > 0 ? `, of which ${referrers} ${referrers === 1 ? "refers" : "refer"} to others` : ""}`,
    `blobs      ${counts.blobs}: ${blobs.join(", ")}`,
    ...(undistributable > 0 ? [`left out   ${counted(undistributable, "layer")} that may not be redistributed`] : []),
  ];
}

function block(lines: readonly string[], { columns }: Screen): string {
  return `${lines.map((line) => fold(line, columns)).join("\n")}\n`;
}
