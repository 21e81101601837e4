import type { ArtifactRepositoryStatus } from "../../../api/v1beta1/status.ts";
import { ageOf, indented } from "./text.ts";
import { leftOutText } from "../left-out.ts";
import { formatBytes } from "../output.ts";
import { formatTable, plain } from "../terminal.ts";

type Part = (status: ArtifactRepositoryStatus) => string;

/** The status for people; parts that the object does not have are left out. */
export function describeStatus(status: ArtifactRepositoryStatus = {}): string {
  const parts: Part[] = [conditions, upstream, selected, artifact, published];
  return parts.map((part) => part(status)).join("") || "Status: not reconciled yet\n";
}

const conditions: Part = ({ conditions = [] }) => {
  if (conditions.length === 0) return "";
  const rows = conditions.map(({ type, status, reason, lastTransitionTime }) => [
    `  ${type}`,
    status,
    reason,
    ageOf(lastTransitionTime),
  ]);
  // Below the table: messages are sentences, may have several lines, and several conditions often have the same one.
  const messages = new Map(conditions.map(({ type, message }) => [message, type] as const).toReversed());
  const texts = [...messages].toReversed().map(([message, type]) => `  ${plain(type)}:\n${indented(message, "    ")}`);
  return `Conditions:\n${formatTable([["  TYPE", "STATUS", "REASON", "AGE"], ...rows])}Messages:\n${texts.join("")}`;
};

const upstream: Part = ({ upstream }) => {
  if (upstream === undefined) return "";
  return section("Upstream", [
    ["URL:", upstream.url],
    ["Tag:", upstream.tag],
    ["Digest:", upstream.digest],
    ["Media type:", upstream.mediaType],
  ]);
};

const selected: Part = ({ selected }) => {
  if (selected === undefined) return "";
  const { layers = [], layerCount } = selected;
  const head = section("Selected", [
    ["Operation:", [selected.operation, selected.layout].filter((part) => part !== undefined).join(", ")],
    ["Known as:", selected.profile],
    ["Note:", selected.note],
    ["Left out:", leftOutText(selected.skipped ?? {})],
    ...(selected.leftOut ?? []).map((example): [string, string] => ["", example]),
    ["Layers:", String(layerCount)],
  ]);
  const rows = layers.map(({ offset, size, mediaType, title, digest, platform }) => [
    `    ${offset}`,
    formatBytes(size),
    digest.slice(0, 19),
    mediaType,
    [title, platform].filter((part) => part !== undefined).join(" "),
  ]);
  const more = layerCount > layers.length ? `    and ${layerCount - layers.length} more\n` : "";
  return (
    head +
    (rows.length === 0 ? "" : formatTable([["    OFFSET", "SIZE", "DIGEST", "MEDIA TYPE", "TITLE"], ...rows])) +
    more
  );
};

const artifact: Part = ({ artifact, url }) => {
  if (artifact === undefined) return "";
  return section("Artifact", [
    ["Revision:", artifact.revision],
    ["Digest:", artifact.digest],
    ["Size:", artifact.size === undefined ? undefined : formatBytes(artifact.size)],
    ["Stored:", `${ageOf(artifact.lastUpdateTime)} ago`],
    ["URL:", artifact.url],
    ["Latest:", url],
  ]);
};

const published: Part = ({ published = [] }) => {
  if (published.length === 0) return "";
  return section(
    "Published",
    published.map(({ kind, name, url, digest, tags }) => [
      `${kind}:`,
      [name ?? url, digest, tags?.join(", ")].filter((part) => part !== undefined && part !== "").join("  "),
    ]),
  );
};

/** Rows without a value are left out. */
function section(title: string, rows: readonly (readonly (string | undefined)[])[]): string {
  const filled = rows
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([label = "", value = ""]) => [`  ${label}`, value]);
  return `${title}:\n${formatTable(filled)}`;
}
