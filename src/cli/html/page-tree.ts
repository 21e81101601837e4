import { titleKey } from "../../oci/annotations.ts";
import type {
  IndexEntry,
  LayerEntry,
  ManifestEntry,
  OtherEntry,
  ReferrerEntry,
  TreeEntry,
} from "../../explore/tree.ts";
import { formatBytes } from "../output.ts";
import { telling } from "../tree/annotations.ts";
import type { Annotations } from "../../oci/types.ts";
import type { BuiltModel } from "./built-model.ts";
import { factsOf, short, type Facts } from "./facts.ts";
import { markup, type Markup } from "./markup.ts";
import { below, grouped, rowMarkup, type Drawing, type Row } from "./page-row.ts";

/** An artifact with more rows than this starts closed: what is open must be little enough to be looked through. */
const maxOpenRows = 60;
/** Manifests that are taken by default are shown open where they are no more than this. */
const maxOpenDefaults = 3;

/** Whether what holds this row starts open. */
export function openerOf(entry: TreeEntry, { model }: BuiltModel): (entry: TreeEntry) => boolean {
  if (model.manifests.length + model.layers.length <= maxOpenRows) return () => true;
  const isFew = new Set(model.usualLayers.map((layer) => model.layers[layer]!.manifest)).size <= maxOpenDefaults;
  const holdsDefault = (child: TreeEntry): boolean =>
    child.kind === "index" ? child.manifests.some(holdsDefault) : child.kind === "manifest" && child.selected;
  return (child) => child === entry || (isFew && holdsDefault(child));
}

/** An index, manifest or other child, with all that lies below it. */
export function nodeMarkup(entry: TreeEntry, drawing: Drawing): Markup {
  if (entry.kind === "index") return indexMarkup(entry, drawing);
  return entry.kind === "manifest" ? manifestMarkup(entry, drawing) : otherMarkup(entry, drawing);
}

function indexMarkup(entry: IndexEntry, drawing: Drawing): Markup {
  const { digest, artifactType, platform, annotations, manifests, referrers } = entry;
  const inner = below(drawing);
  const children = grouped(manifests, inner, {
    draw: nodeMarkup,
    isOpen: drawing.isOpen,
    noun: "manifests",
    hint: (child) => telling(child.annotations)[0]?.[1] ?? child.platform ?? child.artifactType ?? child.mediaType,
  });
  return rowMarkup(drawing, {
    className: "node index",
    what: markup`<span class="kind">index</span> <span class="type">${short(artifactType ?? "")}</span>${badge(platform)}${tellingMarkup(annotations)}`,
    size: `${manifests.length} ${manifests.length === 1 ? "child" : "children"}`,
    digest,
    facts: positionFacts("Index", entry),
    children: [children, ...referrers.map((referrer) => referrerMarkup(referrer, inner))],
    isOpen: drawing.isOpen(entry),
  });
}

function manifestMarkup(entry: ManifestEntry, drawing: Drawing): Markup {
  const { digest, artifactType, platform, annotations, layout, layers, config, selected } = entry;
  const { manifestNumbers, layersOfManifest } = drawing.built;
  const number = manifestNumbers.get(digest)!;
  const numbers = new Map(layersOfManifest[number]!.map((found) => [found.layer.ordinal, found.number]));
  const inner = below(drawing);
  const rows = grouped(layers, inner, {
    draw: (layer, here) => layerMarkup(layer, numbers.get(layer.offset), here),
    isOpen: () => false,
    noun: "layers",
    hint: (layer) => layer.title ?? layer.mediaType,
  });
  return rowMarkup(drawing, {
    className: "node manifest",
    box: manifestBox(entry, number, drawing),
    what: markup`<span class="kind">manifest</span> <span class="type">${short(artifactType)}</span>${badge(platform)}${badge(layout, "layout")}${tellingMarkup(annotations)}${usual(selected)}`,
    size: formatBytes(layers.reduce((sum, layer) => sum + layer.size, 0)),
    digest,
    facts: positionFacts("Manifest", entry, [
      ["layout", layout],
      ["about", entry.subject],
    ]),
    children: [
      rows,
      configMarkup(config, numbers.get(-1), inner),
      ...entry.referrers.map((referrer) => referrerMarkup(referrer, inner)),
    ],
    isOpen: drawing.isOpen(entry),
  });
}

function manifestBox({ artifactType, platform }: ManifestEntry, number: number, { built }: Drawing): Markup {
  const label = `Take manifest ${[artifactType, platform].filter(Boolean).join(", ")}`;
  return built.model.manifests[number]!.pool.length === 0
    ? markup`<input type="checkbox" disabled aria-label="${label}: it has no layers to take">`
    : markup`<input type="checkbox" tabindex="-1" data-manifest="${number}" aria-label="${label}">`;
}

function layerMarkup(
  { offset, title, mediaType, size, digest, annotations, selected }: LayerEntry,
  number: number | undefined,
  drawing: Drawing,
): Markup {
  const { [titleKey]: _, ...others } = annotations ?? {};
  const name = title === undefined ? undefined : markup`<strong>${short(title)}</strong> `;
  return rowMarkup(drawing, {
    ...pickable(number),
    what: markup`<span class="kind">layer ${offset}</span> <span class="name">${name}<span class="type">${short(mediaType)}</span>${tellingMarkup(others)}${usual(selected)}</span>`,
    size: formatBytes(size),
    digest,
    facts: factsOf(`Layer ${offset}`, blobFacts({ digest, mediaType, size }), annotations),
  });
}

function configMarkup(
  { mediaType, size, digest, selected }: ManifestEntry["config"],
  number: number | undefined,
  drawing: Drawing,
): Markup {
  return rowMarkup(drawing, {
    ...pickable(number),
    what: markup`<span class="kind">config</span> <span class="name"><span class="type">${short(mediaType)}</span>${usual(selected)}</span>`,
    size: formatBytes(size),
    digest,
    facts: factsOf("Config", blobFacts({ digest, mediaType, size })),
  });
}

/** A layer that holds something has a number. */
function pickable(number: number | undefined): Pick<Row, "className" | "box" | "labelled"> {
  if (number === undefined)
    return { className: "empty", box: markup`<input type="checkbox" disabled aria-label="It holds nothing">` };
  const id = `layer-${number}`;
  return {
    className: "leaf",
    box: markup`<input type="checkbox" tabindex="-1" id="${id}" data-layer="${number}">`,
    labelled: id,
  };
}

function referrerMarkup(referrer: ReferrerEntry, drawing: Drawing): Markup {
  const { meaning, artifactType, mediaType, digest, size, tag, annotations } = referrer;
  const name = meaning === undefined ? undefined : markup`<strong>${meaning}</strong> `;
  return rowMarkup(drawing, {
    className: "referrer",
    what: markup`<span class="kind">refers</span> <span class="name">${name}<span class="type">${short(tag ?? artifactType ?? mediaType)}</span></span>`,
    size: formatBytes(size),
    digest,
    facts: factsOf(
      "Referrer",
      [["meaning", meaning], ["artifact type", artifactType], ["tag", tag], ...blobFacts(referrer)],
      annotations,
    ),
  });
}

function otherMarkup(entry: OtherEntry, drawing: Drawing): Markup {
  const { kind, digest, artifactType, mediaType, platform, problem, annotations } = entry;
  const why = {
    repeated: "shown above",
    foreign: "neither manifest nor index",
    unread: `cannot be read: ${problem?.message ?? ""}`,
  }[kind];
  return rowMarkup(drawing, {
    className: `other ${kind}`,
    what: markup`<span class="kind">${kind}</span> <span class="name"><span class="type">${short(artifactType ?? mediaType)}</span>${badge(platform)} <span class="why">${short(why)}</span></span>`,
    size: "",
    digest,
    facts: factsOf(
      kind,
      [["artifact type", artifactType], ["platform", platform], ["problem", problem?.message], ...blobFacts(entry)],
      annotations,
    ),
  });
}

function positionFacts(
  title: string,
  { digest, artifactType, mediaType, platform, size, annotations }: IndexEntry | ManifestEntry,
  more: readonly (readonly [string, string | undefined])[] = [],
): Facts {
  const facts = [["artifact type", artifactType], ["platform", platform], ...more] as const;
  return factsOf(title, [...blobFacts({ digest, mediaType, size }), ...facts], annotations);
}

function blobFacts({ digest, mediaType, size }: Pick<OtherEntry, "digest" | "mediaType" | "size">): [string, string][] {
  return [
    ["digest", digest],
    ["media type", mediaType],
    ["size", formatBytes(size)],
  ];
}

function tellingMarkup(annotations: Annotations | undefined): Markup[] {
  return telling(annotations).map(
    ([key, value]) => markup` <span class="note"><span class="key">${key}</span> ${value}</span>`,
  );
}

function usual(selected: boolean): Markup | undefined {
  return selected ? markup` <span class="usual">default</span>` : undefined;
}

function badge(text: string | undefined, name = "platform"): Markup | undefined {
  return text === undefined ? undefined : markup` <span class="badge ${name}">${short(text)}</span>`;
}
