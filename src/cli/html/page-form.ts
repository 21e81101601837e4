import { markup, type Markup } from "./markup.ts";
import type { PageModel } from "./model.ts";
import { cliDefaults } from "../../config.ts";

/** What the spec says besides of what is picked, and what becomes of it. */
export function formMarkup({ name }: PageModel): Markup {
  return markup`<aside class="panel" aria-labelledby="selected"><form id="selection" autocomplete="off" tabindex="-1">
<h2 id="selected">Your selection</h2>
<div class="fields">
<label>Name <input id="name" value="${name}" required maxlength="253" pattern="[a-z0-9]([a-z0-9.\\-]*[a-z0-9])?" data-problem="The name is lower-case letters, digits, - and . and begins and ends with a letter or digit." spellcheck="false"></label>
<label>Namespace <input id="namespace" value="${cliDefaults.namespace}" maxlength="63" pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?" data-problem="The namespace is lower-case letters, digits and - and begins and ends with a letter or digit." spellcheck="false"></label>
<label>Interval <input id="interval" value="${cliDefaults.interval}" required pattern="([0-9]+h)?([0-9]+m)?([0-9]+s)?" data-problem="The interval is a duration such as 10m or 1h30m." spellcheck="false"></label>
<label>Operation <select id="operation"><option value="">automatic</option><option>Extract</option><option>Copy</option><option>ExtractAll</option></select></label>
<label>Consumer <select id="consumer"><option value="">automatic</option><option>Kustomization</option><option>HelmRelease</option><option>none</option></select></label>
</div>
<p class="empty">Tick rows of the contents, and the manifest stands here.</p>
<ul id="picked" aria-label="What is picked"></ul>
<div class="written">
<pre id="manifest" tabindex="0" aria-label="ArtifactRepository"></pre>
<div id="consumed"><h3>What reads it</h3><pre id="consumer-manifest" tabindex="0" aria-label="What reads the artifact"></pre><p class="keys">Its controller needs <code>--feature-gates=ExternalArtifact=true</code>.</p></div>
<details id="kubectl"><summary>As a command</summary><pre id="command" tabindex="0" aria-label="kubectl command"></pre></details>
<div class="buttons"><button type="button" id="copy-command">Copy kubectl command</button></div>
</div>
</form></aside>`;
}

/** What is seen of the selection wherever the page is scrolled to. */
export function barMarkup({ usualLayers }: PageModel): Markup {
  const hidden = usualLayers.length > 0 ? undefined : { html: " hidden" };
  return markup`<div id="bar" role="region" aria-label="Selection"><div class="inner">
<div class="said"><p id="summary" role="status">Pick manifests and layers to get a manifest.</p><p id="status" role="status"></p></div>
<div class="buttons"><button type="button" id="split" hidden>One object for each</button><button type="button" id="usual"${hidden}>Default</button><button type="button" id="clear">Clear</button><a class="button" id="jump" href="#selection">Manifest</a><button type="button" id="copy">Copy manifest</button></div>
</div></div>`;
}

/** Where the details of a row are shown when they are asked for. */
export function detailsMarkup(): Markup {
  return markup`<dialog id="details" aria-labelledby="details-title"><div class="sheet">
<h2 id="details-title"></h2>
<dl id="details-list"></dl>
<div class="buttons"><button type="button" id="close">Close</button></div>
</div></dialog>`;
}
