import { titleKey } from "../../oci/annotations.ts";
import type {
  IndexEntry,
  LayerEntry,
  ManifestEntry,
  OtherEntry,
  ReferrerEntry,
  TreeEntry,
} from "../../explore/tree.ts";
import type { Annotations } from "../../oci/types.ts";
import { formatBytes } from "../output.ts";
import { telling } from "../tree/annotations.ts";
import type { BuiltModel } from "./build-model.ts";
import { markup, type Markup } from "./markup.ts";

const maxAnnotations = 20;
const maxText = 400;

/** The tree as nested lists; every manifest and layer that can be taken has a checkbox with its number in the model. */
export function treeMarkup(entry: TreeEntry, built: BuiltModel): Markup {
  return markup`<ul class="tree" id="tree">${nodeMarkup(entry, built)}</ul>`;
}

function nodeMarkup(entry: TreeEntry, built: BuiltModel): Markup {
  if (entry.kind === "index") return indexMarkup(entry, built);
  return entry.kind === "manifest" ? manifestMarkup(entry, built) : otherMarkup(entry);
}

function indexMarkup(entry: IndexEntry, built: BuiltModel): Markup {
  const { digest, artifactType, mediaType, platform, size, manifests, referrers } = entry;
  return markup`<li class="node index"><details open><summary><span class="kind">index</span> <span class="type">${short(artifactType ?? "")}</span>${badge(platform)}${tellingMarkup(entry.annotations)}<span class="meta">${manifests.length} ${manifests.length === 1 ? "child" : "children"}</span></summary>
${factsMarkup(
  [
    ["digest", digest],
    ["media type", mediaType],
    ["size", formatBytes(size)],
  ],
  entry.annotations,
)}
<ul>${manifests.map((child) => nodeMarkup(child, built))}${referrers.map(referrerMarkup)}</ul></details></li>`;
}

function manifestMarkup(entry: ManifestEntry, built: BuiltModel): Markup {
  const { digest, artifactType, mediaType, platform, size, layout, layers, config, referrers, subject } = entry;
  const number = built.manifestNumbers.get(digest)!;
  const numbers = new Map(built.layersOfManifest[number]!.map((found) => [found.layer.ordinal, found.number]));
  const label = `Take manifest ${[artifactType, platform].filter(Boolean).join(", ")}`;
  const isEmpty = built.model.manifests[number]!.pool.length === 0;
  const box = isEmpty
    ? markup`<input type="checkbox" disabled aria-label="${label}: it has no layers to take">`
    : markup`<input type="checkbox" data-manifest="${number}" aria-label="${label}">`;
  return markup`<li class="node manifest" id="manifest-${number}">${box}<details open><summary><span class="kind">manifest</span> <span class="type">${short(artifactType)}</span>${badge(platform)}${badge(layout, "layout")}${tellingMarkup(entry.annotations)}${entry.selected ? markup`<span class="usual">default</span>` : undefined}</summary>
${factsMarkup(
  [
    ["digest", digest],
    ["media type", mediaType],
    ["size", formatBytes(size)],
    ["about", subject],
  ],
  entry.annotations,
)}
<ul>${layers.map((layer) => layerMarkup(layer, numbers.get(layer.offset)))}${configMarkup(config, numbers.get(-1))}${referrers.map(referrerMarkup)}</ul></details></li>`;
}

function layerMarkup(
  { offset, title, mediaType, size, digest, annotations, selected }: LayerEntry,
  number: number | undefined,
): Markup {
  const { [titleKey]: _, ...others } = annotations ?? {};
  return rowMarkup(
    number,
    markup`<span class="kind">layer ${offset}</span> <span class="name">${title === undefined ? undefined : markup`<strong>${short(title)}</strong> `}<span class="type">${short(mediaType)}</span>${tellingMarkup(others)}${selected ? markup`<span class="usual">default</span>` : undefined}</span><span class="meta"><code title="${digest}">${shortDigest(digest)}</code> ${formatBytes(size)}</span>`,
  );
}

function configMarkup(
  { mediaType, size, digest, selected }: ManifestEntry["config"],
  number: number | undefined,
): Markup {
  return rowMarkup(
    number,
    markup`<span class="kind">config</span> <span class="name"><span class="type">${short(mediaType)}</span>${selected ? markup`<span class="usual">default</span>` : undefined}</span><span class="meta"><code title="${digest}">${shortDigest(digest)}</code> ${formatBytes(size)}</span>`,
  );
}

function rowMarkup(number: number | undefined, content: Markup): Markup {
  if (number === undefined)
    return markup`<li class="row empty"><span class="line"><input type="checkbox" disabled aria-label="It holds nothing"> ${content}</span></li>`;
  return markup`<li class="row"><label class="line"><input type="checkbox" data-layer="${number}"> ${content}</label></li>`;
}

function referrerMarkup({ meaning, artifactType, mediaType, digest, size, tag }: ReferrerEntry): Markup {
  return markup`<li class="row referrer"><span class="line"><span class="kind">refers</span> <span class="name">${meaning === undefined ? undefined : markup`<strong>${meaning}</strong> `}<span class="type">${short(tag ?? artifactType ?? mediaType)}</span></span><span class="meta"><code title="${digest}">${shortDigest(digest)}</code> ${formatBytes(size)}</span></span></li>`;
}

function otherMarkup({ kind, digest, artifactType, mediaType, platform, problem }: OtherEntry): Markup {
  const why = {
    repeated: "shown above",
    foreign: "neither manifest nor index",
    unread: `cannot be read: ${problem?.message ?? ""}`,
  }[kind];
  return markup`<li class="row other ${kind}"><span class="line"><span class="kind">${kind}</span> <span class="name"><span class="type">${short(artifactType ?? mediaType)}</span>${badge(platform)} <span class="why">${short(why)}</span></span><span class="meta"><code title="${digest}">${shortDigest(digest)}</code></span></span></li>`;
}

function tellingMarkup(annotations: Annotations | undefined): Markup[] {
  return telling(annotations).map(
    ([key, value]) => markup` <span class="note"><span class="key">${key}</span> ${value}</span>`,
  );
}

function factsMarkup(facts: readonly (readonly [string, string | undefined])[], annotations: Annotations = {}): Markup {
  const entries = Object.entries(annotations);
  const more = entries.length - maxAnnotations;
  const rows = [
    ...facts,
    ...entries.slice(0, maxAnnotations),
    ...(more > 0 ? [["…", `and ${more} more annotations`] as const] : []),
  ];
  return markup`<details class="facts"><summary>Details</summary><dl>${rows.flatMap(([key, value]) => (value === undefined ? [] : [markup`<div><dt>${short(key)}</dt><dd>${short(value)}</dd></div>`]))}</dl></details>`;
}

function badge(text: string | undefined, name = "platform"): Markup | undefined {
  return text === undefined ? undefined : markup` <span class="badge ${name}">${short(text)}</span>`;
}

function short(text: string): string {
  return text.length > maxText ? `${text.slice(0, maxText)}…` : text;
}

function shortDigest(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1, digest.indexOf(":") + 13);
}
