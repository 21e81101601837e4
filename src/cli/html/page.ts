import { createHash } from "node:crypto";
import { isSelection, selectedLayers, type Explored } from "../../explore/explore.ts";
import { treeOf } from "../../explore/tree.ts";
import { formatReference, type Reference } from "../../oci/reference.ts";
import { formatBytes } from "../output.ts";
import { outcomeLines } from "../tree/text.ts";
import { buildModel, sourceOf, type BuiltModel } from "./build-model.ts";
import { embeddedJson, markup, type Markup } from "./markup.ts";
import { pageScript } from "./page-script.ts";
import { pageStyle } from "./page-style.ts";
import { treeMarkup } from "./page-tree.ts";

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
  const title = formatReference(reference);
  const policy = `default-src 'none'; style-src ${hashOf(pageStyle)}; script-src ${hashOf(script)}; base-uri 'none'; form-action 'none'`;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${{ html: policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${{ html: pageStyle }}</style>
</head>
<body>
<a class="skip" href="#selection">Skip to the selection</a>
${headerMarkup(explored, built, title)}
<main>
<section class="panel" aria-labelledby="contents"><h2 id="contents">Contents</h2>${treeMarkup(tree, built)}</section>
${formMarkup(built)}
</main>
<script type="application/json" id="model">${embeddedJson(built.model)}</script>
<script>${{ html: script }}</script>
</body>
</html>
`.html;
}

function headerMarkup(explored: Explored, { model, layersOfManifest }: BuiltModel, title: string): Markup {
  const blobs = new Map(
    layersOfManifest.flat().map(({ layer: { descriptor } }) => [descriptor.digest, descriptor.size]),
  );
  const bytes = [...blobs.values()].reduce((sum, size) => sum + size, 0);
  const referrers = [...explored.referrers.bySubject.values()].flat().length;
  const counts = [
    count(model.manifests.length, "manifest"),
    count(blobs.size, "blob"),
    formatBytes(bytes),
    ...(referrers > 0 ? [count(referrers, "referrer")] : []),
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

function formMarkup({ model }: BuiltModel): Markup {
  return markup`<aside class="panel" aria-labelledby="selected"><form id="selection" autocomplete="off">
<h2 id="selected">Your selection</h2>
<p id="summary" role="status">Pick manifests and layers to get a manifest.</p>
<div class="fields">
<label>Name <input id="name" value="${model.name}" required maxlength="253" pattern="[a-z0-9]([a-z0-9.\\-]*[a-z0-9])?" data-problem="The name is lower-case letters, digits, - and . and begins and ends with a letter or digit." spellcheck="false"></label>
<label>Namespace <input id="namespace" value="default" maxlength="63" pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?" data-problem="The namespace is lower-case letters, digits and - and begins and ends with a letter or digit." spellcheck="false"></label>
<label>Interval <input id="interval" value="10m" required pattern="([0-9]+h)?([0-9]+m)?([0-9]+s)?" data-problem="The interval is a duration such as 10m or 1h30m." spellcheck="false"></label>
<label>Operation <select id="operation"><option value="">automatic</option><option>Extract</option><option>Copy</option><option>ExtractAll</option></select></label>
</div>
<pre id="manifest" tabindex="0" aria-label="ArtifactRepository"></pre>
<div class="buttons"><button type="button" id="copy">Copy manifest</button><button type="button" id="usual"${model.usualLayers.length > 0 ? undefined : { html: " hidden" }}>Default</button><button type="button" id="clear">Clear</button></div>
<p id="status" role="status"></p>
</form></aside>`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** CSP level 3, "hash-source". */
function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
