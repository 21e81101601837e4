import type { OperationName } from "../../operation/operation.ts";
import { chooser, chooserFunctions, type Chooser } from "../../select/choice.ts";
import { deriveScope, type deriveSpec, type isSame, type manifestsOf } from "./derive.ts";
import type { PageModel } from "./model.ts";
import { type PageScope, scopeSource } from "./page-scope.ts";
import { type manifestYaml, yamlScope } from "./spec-yaml.ts";

/** What the script uses of an element; the project has no types of browsers. */
interface Element {
  textContent: string | null;
  checked: boolean;
  indeterminate: boolean;
  open: boolean;
  value: string;
  readonly dataset: Readonly<Record<string, string>>;
  readonly classList: { toggle(name: string, force: boolean): void };
  readonly offsetParent: unknown;
  readonly parentElement: Element | null;
  readonly validity: { readonly valid: boolean };
  addEventListener(name: string, listener: (event: Event) => void): void;
  closest(selector: string): Element | null;
  querySelectorAll(selector: string): Iterable<Element>;
  matches(selector: string): boolean;
  focus(): void;
}
interface Event {
  readonly target: Element;
  readonly key: string;
  preventDefault(): void;
}
declare const document: {
  getElementById(id: string): Element;
  querySelectorAll(selector: string): Iterable<Element>;
  createRange(): { selectNodeContents(element: Element): void };
};
declare const navigator: { readonly clipboard?: { writeText(text: string): Promise<void> } };
declare const getSelection: () => { removeAllRanges(): void; addRange(range: unknown): void };

/** What the other scopes offer. */
export interface PageTools {
  readonly chooser: Chooser;
  readonly deriveSpec: typeof deriveSpec;
  readonly isSame: typeof isSame;
  readonly manifestsOf: typeof manifestsOf;
  readonly manifestYaml: typeof manifestYaml;
}

// All functions of this file run in the page alone: they use nothing from elsewhere.

/** Makes the page answer to clicks and keys. */
function startPage(tools: PageTools): void {
  const model = JSON.parse(document.getElementById("model").textContent ?? "") as PageModel;
  const tree = document.getElementById("tree");
  tree.addEventListener("change", ({ target }) => {
    if (target.dataset["manifest"] !== undefined)
      pickLayers(model.manifests[Number(target.dataset["manifest"])]!, target.checked);
    showSelection(model, tools);
  });
  tree.addEventListener("keydown", moveInTree);
  for (const id of ["name", "namespace", "interval", "operation"])
    document.getElementById(id).addEventListener("input", () => showSelection(model, tools));
  document.getElementById("usual").addEventListener("click", () => resetTo(model, tools, model.usualLayers));
  document.getElementById("clear").addEventListener("click", () => resetTo(model, tools, []));
  document.getElementById("copy").addEventListener("click", () => void copyManifest());
  document.getElementById("selection").addEventListener("submit", (event) => event.preventDefault());
  resetTo(model, tools, model.usualLayers);
}

function resetTo(model: PageModel, tools: PageTools, layers: readonly number[]): void {
  for (const box of document.querySelectorAll("[data-layer]"))
    box.checked = layers.includes(Number(box.dataset["layer"]));
  document.getElementById("operation").value = "";
  showSelection(model, tools);
}

/** A manifest stands for the layers that are its content. */
function pickLayers(
  { pool, layers }: { readonly pool: readonly number[]; readonly layers: readonly number[] },
  isPicked: boolean,
): void {
  for (const box of document.querySelectorAll("[data-layer]")) {
    const layer = Number(box.dataset["layer"]);
    if (layers.includes(layer)) box.checked = isPicked && pool.includes(layer);
  }
}

function showSelection(model: PageModel, tools: PageTools): void {
  const picked: number[] = [];
  for (const box of document.querySelectorAll("[data-layer]")) {
    if (box.checked) picked.push(Number(box.dataset["layer"]));
    box.closest("li")!.classList.toggle("picked", box.checked);
  }
  for (const box of document.querySelectorAll("[data-manifest]")) showManifest(box, model, picked, tools);
  const problem = fieldProblem();
  const operation = document.getElementById("operation").value as OperationName | "";
  const spec =
    problem ?? tools.deriveSpec({ model, chooser: tools.chooser }, picked, operation === "" ? undefined : operation);
  const isWritten = typeof spec !== "string";
  const field = (id: string): string => document.getElementById(id).value;
  const form = document.getElementById("selection");
  form.classList.toggle("unwritten", !isWritten);
  // Nothing picked yet is no mistake.
  form.classList.toggle("refused", !isWritten && (picked.length > 0 || problem !== undefined));
  document.getElementById("manifest").textContent = isWritten
    ? tools.manifestYaml(
        model,
        { name: field("name"), namespace: field("namespace"), interval: field("interval") },
        spec,
      )
    : "";
  document.getElementById("summary").textContent = isWritten ? summaryOf(model, picked, tools) : spec;
  document.getElementById("status").textContent = "";
}

function showManifest(box: Element, model: PageModel, picked: readonly number[], { isSame }: PageTools): void {
  const { pool, layers } = model.manifests[Number(box.dataset["manifest"])]!;
  const taken = layers.filter((layer) => picked.includes(layer));
  box.checked = taken.length > 0 && isSame(taken, pool);
  box.indeterminate = taken.length > 0 && !box.checked;
  box.closest("li")!.classList.toggle("picked", taken.length > 0);
}

function summaryOf(model: PageModel, picked: readonly number[], { isSame, manifestsOf }: PageTools): string {
  const manifests = manifestsOf(model, picked).length;
  const count = `${picked.length} ${picked.length === 1 ? "layer" : "layers"} of ${manifests} ${manifests === 1 ? "manifest" : "manifests"}`;
  return isSame(picked, model.usualLayers) ? `${count}: what is taken without any selector` : count;
}

/** A sentence about the first field that is of no use; undefined where all are. */
function fieldProblem(): string | undefined {
  const wrong = ["name", "namespace", "interval"].find((id) => !document.getElementById(id).validity.valid);
  return wrong === undefined ? undefined : document.getElementById(wrong).dataset["problem"];
}

/** Up and down go from row to row, left and right close and open. */
function moveInTree(event: Event): void {
  const { target, key } = event;
  const step = key === "ArrowDown" ? 1 : -1;
  if (key === "ArrowDown" || key === "ArrowUp") {
    const stops = [...document.getElementById("tree").querySelectorAll("summary, input:not([disabled])")].filter(
      (stop) => stop.offsetParent !== null,
    );
    stops[stops.indexOf(target) + step]?.focus();
    event.preventDefault();
  } else if ((key === "ArrowLeft" || key === "ArrowRight") && target.matches("summary")) {
    target.parentElement!.open = key === "ArrowRight";
    event.preventDefault();
  }
}

async function copyManifest(): Promise<void> {
  const manifest = document.getElementById("manifest");
  const status = document.getElementById("status");
  try {
    await navigator.clipboard!.writeText(manifest.textContent ?? "");
    status.textContent = "Copied.";
  } catch {
    // Browsers give the clipboard only to pages that they trust.
    const range = document.createRange();
    range.selectNodeContents(manifest);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    status.textContent = "Press Ctrl+C or ⌘C to copy what is marked.";
  }
}

const pageScope: PageScope = {
  functions: [
    copyManifest,
    fieldProblem,
    moveInTree,
    pickLayers,
    resetTo,
    showManifest,
    showSelection,
    startPage,
    summaryOf,
  ],
  offers: { startPage },
};

const chooserScope: PageScope = { functions: chooserFunctions, offers: { ...chooser } };

/** The whole script of the page. */
export function pageScript(): string {
  const tools = [
    `chooser: ${scopeSource(chooserScope)}`,
    ...[deriveScope, yamlScope].map((scope) => `...${scopeSource(scope)}`),
  ];
  return `"use strict";\n${scopeSource(pageScope)}.startPage({ ${tools.join(", ")} });\n`;
}
