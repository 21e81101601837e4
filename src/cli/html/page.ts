import { isSelection, selectedLayers, type Explored } from "../../explore/explore.ts";
import { treeOf, type TreeEntry } from "../../explore/tree.ts";
import { formatReference, type Reference } from "../../oci/reference.ts";
import { counted } from "../../text/count.ts";
import { formatBytes } from "../output.ts";
import { outcomeLines } from "../tree/text.ts";
import type { BuiltModel } from "./built-model.ts";
import { buildModel, sourceOf } from "./build-model.ts";
import type { Facts } from "./facts.ts";
import { documentOf } from "./document.ts";
import { embeddedJson, markup, type Markup } from "./markup.ts";
import { componentMarkup } from "./page-component.ts";
import { barMarkup, detailsMarkup, formMarkup } from "./page-form.ts";
import { pageScript } from "./page-script.ts";
import { pageStyle } from "./page-style.ts";
import { nodeMarkup, openerOf } from "./page-tree.ts";

/**
 * The artifact as one page that asks nothing of a network: the tree, and a form that turns what is picked in it into an
 * ArtifactRepository. What comes from the registry is only ever text.
 *
 * @throws TooManyManifests where it would be too long for a page
 */
export function pageOf(explored: Explored, reference: Reference, insecure: boolean): string {
  const built = buildModel(explored, sourceOf(reference, insecure));
  const script = pageScript();
  const tree = treeOf(explored.root, {
    graph: explored.graph,
    referrers: explored.referrers.bySubject,
    layers: selectedLayers(explored),
  });
  const facts: Facts[] = [];
  const contents = contentsMarkup(tree, explored, built, facts);
  const title = formatReference(reference);
  return documentOf(
    { title, style: pageStyle, script },
    markup`<a class="skip" href="#selection">Skip to the selection</a>
${headerMarkup(explored, built, title)}
<main>
${contents}
${formMarkup(built.model)}
</main>
${barMarkup(built.model)}
${detailsMarkup()}
<script type="application/json" id="model">${embeddedJson(built.model)}</script>
<script type="application/json" id="facts">${embeddedJson(facts)}</script>
<script>${{ html: script }}</script>`,
  );
}

function headerMarkup(explored: Explored, { model, layersOfManifest }: BuiltModel, title: string): Markup {
  const blobs = new Map(
    layersOfManifest.flat().map(({ layer: { descriptor } }) => [descriptor.digest, descriptor.size]),
  );
  const bytes = [...blobs.values()].reduce((sum, size) => sum + size, 0);
  const referrers = [...explored.referrers.bySubject.values()].flat().length;
  const counts = [
    counted(model.manifests.length, "manifest"),
    counted(blobs.size, "blob"),
    formatBytes(bytes),
    ...(referrers > 0 ? [counted(referrers, "referrer")] : []),
  ];
  const [outcome] = outcomeLines(explored);
  return markup`<header>
<h1>${title}</h1>
<p><code>${explored.root.digest}</code></p>
<p>${counts.join(" · ")}</p>
<p${isSelection(explored.outcome) ? undefined : { html: ' class="hint"' }}>${(outcome ?? "").replace(/^\* t/, "T").replace(/ A spec could say$/, " Pick what you want.")}</p>
${explored.referrers.problems.map((problem) => markup`<p class="hint">${problem}</p>`)}
</header>`;
}

function contentsMarkup(tree: TreeEntry, explored: Explored, built: BuiltModel, facts: Facts[]): Markup {
  const drawing = { built, depth: 0, isOpen: openerOf(tree, built), facts };
  return markup`<section class="panel" aria-labelledby="contents">
<div class="tools"><h2 id="contents">Contents</h2><input id="filter" type="search" placeholder="Filter: words, a type, a digest" aria-label="Filter the contents" autocomplete="off" spellcheck="false"><span id="found" role="status"></span></div>
<div class="row heads" aria-hidden="true"><span></span><span>What</span><span class="size">Size</span><span>Digest</span></div>
<div id="tree"><ul class="tree">${componentMarkup(explored.component, built.offers, drawing)}${nodeMarkup(tree, drawing)}</ul></div>
<p class="keys">Keys: ↑ ↓ go from row to row, Space picks, ← → close and open, Enter shows details.</p>
</section>`;
}
