import type { OperationName } from "../../operation/operation.ts";
import { chooser, chooserFunctions, type Chooser } from "../../select/choice.ts";
import type { PageDocument, PageElement } from "./browser.ts";
import { deriveScope, type deriveSpec, type isSame, type manifestsOf } from "./derive.ts";
import type { Facts } from "./facts.ts";
import type { Naming, PageModel, PickedSpec, Picks } from "./model.ts";
import { objectsScope, type deriveSpecs } from "./objects.ts";
import { clipboardScope, type startCopying } from "./page-clipboard.ts";
import { detailsScope, type startDetails } from "./page-details.ts";
import { rowsScope } from "./page-rows.ts";
import { type PageScope, scopeSource } from "./page-scope.ts";
import { type consumerYaml, type kubectlCommand, type manifestYaml, yamlScope } from "./spec-yaml.ts";

declare const document: PageDocument;
declare const addEventListener: (name: "beforeprint", listener: () => void) => void;

/** What the other scopes offer. */
export interface PageTools {
  readonly chooser: Chooser;
  readonly deriveSpec: typeof deriveSpec;
  readonly deriveSpecs: typeof deriveSpecs;
  readonly isSame: typeof isSame;
  readonly manifestsOf: typeof manifestsOf;
  readonly manifestYaml: typeof manifestYaml;
  readonly consumerYaml: typeof consumerYaml;
  readonly kubectlCommand: typeof kubectlCommand;
  readonly startCopying: typeof startCopying;
  readonly startDetails: typeof startDetails;
  readonly startRows: () => void;
}

interface Page extends PageTools {
  readonly model: PageModel;
}

// All functions of this file run in the page alone: they use nothing from elsewhere.

/** Makes the page answer to clicks and keys. */
function startPage(tools: PageTools): void {
  const embedded = (id: string): unknown => JSON.parse(document.getElementById(id).textContent ?? "");
  const model = embedded("model") as PageModel;
  const page = { ...tools, model };
  // One object for each is what was asked for these picks, not for the next ones.
  let isSplit = false;
  const show = (): void => showSelection(page, isSplit);
  const reset = (layers: readonly number[]): void => {
    isSplit = false;
    resetTo(layers);
    show();
  };
  document.getElementById("tree").addEventListener("change", ({ target }) => {
    isSplit = false;
    if (target.dataset["manifest"] !== undefined)
      pickLayers(model.manifests[Number(target.dataset["manifest"])]!, target.checked);
    show();
  });
  for (const id of ["name", "namespace", "interval", "operation", "consumer"])
    document.getElementById(id).addEventListener("input", show);
  document.getElementById("split").addEventListener("click", () => {
    isSplit = true;
    show();
    document.getElementById("copy").focus();
  });
  document.getElementById("usual").addEventListener("click", () => reset(model.usualLayers));
  document.getElementById("clear").addEventListener("click", () => reset([]));
  document.getElementById("selection").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("beforeprint", listPicked);
  tools.startCopying();
  tools.startDetails(() => embedded("facts") as readonly Facts[]);
  tools.startRows();
  reset(model.usualLayers);
}

function resetTo(layers: readonly number[]): void {
  const taken = new Set(layers);
  for (const box of document.querySelectorAll("[data-layer]")) box.checked = taken.has(Number(box.dataset["layer"]));
  for (const box of document.querySelectorAll("[data-resource]")) box.checked = false;
  document.getElementById("operation").value = "";
}

/** A manifest stands for the layers that are its content. */
function pickLayers(
  { pool, layers }: { readonly pool: readonly number[]; readonly layers: readonly number[] },
  isPicked: boolean,
): void {
  for (const layer of layers) {
    const box = document.querySelector(`[data-layer='${layer}']`);
    if (box !== null) box.checked = isPicked && pool.includes(layer);
  }
}

function picksOf(): Picks {
  const ticked = (name: string): number[] =>
    [...document.querySelectorAll(`[data-${name}]:checked`)]
      .map((box) => Number(box.dataset[name]))
      .sort((left, right) => left - right);
  return { layers: ticked("layer"), resources: ticked("resource") };
}

function showSelection(page: Page, isSplit: boolean): void {
  const { model, deriveSpecs } = page;
  const picks = picksOf();
  const count = picks.layers.length + picks.resources.length;
  showRows(page, picks);
  const problem = fieldProblem();
  const chosen = document.getElementById("operation").value as OperationName | "";
  const derive = (split: boolean) => deriveSpecs(page, picks, chosen === "" ? undefined : chosen, split);
  const specs = problem ?? derive(isSplit);
  const isWritten = typeof specs !== "string";
  const form = document.getElementById("selection");
  form.classList.toggle("unwritten", !isWritten);
  const bar = document.getElementById("bar");
  bar.classList.toggle("unwritten", !isWritten);
  // Nothing picked yet is not a mistake.
  bar.classList.toggle("refused", !isWritten && (count > 0 || problem !== undefined));
  const split = isWritten || problem !== undefined || count < 2 ? "" : derive(true);
  document.getElementById("split").hidden = typeof split === "string";
  showWritten(page, isWritten ? specs : [], consumerFor(model, picks, page.manifestsOf));
  document.getElementById("summary").textContent = isWritten ? summaryOf(page, picks, specs.length) : specs;
  document.getElementById("status").textContent = "";
}

/** The rows that something is taken of, with all that they lie in. */
function showRows(page: Page, { layers }: Picks): void {
  for (const item of document.querySelectorAll("#tree li.picked")) item.classList.remove("picked");
  const taken = new Set(layers);
  for (const box of document.querySelectorAll("[data-manifest]")) showManifest(box, page, taken);
  for (const box of document.querySelectorAll("[data-layer]:checked, [data-resource]:checked"))
    for (let item = box.closest("li"); item !== null; item = item.parentElement!.closest("li"))
      item.classList.add("picked");
}

/** On paper there are the picked rows alone. */
function listPicked(): void {
  const maxListed = 200;
  const boxes = [...document.querySelectorAll("[data-layer]:checked, [data-resource]:checked")];
  const more = boxes.length > maxListed ? [`and ${boxes.length - maxListed} more`] : [];
  const lines = boxes.slice(0, maxListed).map((box) => {
    const cells = [...box.closest(".row")!.children].map((cell) => cell.textContent);
    return cells.filter((cell) => cell !== "").join("  ");
  });
  document.getElementById("picked").replaceChildren(
    ...lines.concat(more).map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }),
  );
}

function showManifest(box: PageElement, { model, isSame }: Page, picked: ReadonlySet<number>): void {
  const { pool, layers } = model.manifests[Number(box.dataset["manifest"])]!;
  const taken = layers.filter((layer) => picked.has(layer));
  box.checked = taken.length > 0 && isSame(taken, pool);
  box.indeterminate = taken.length > 0 && !box.checked;
}

/** The objects, what reads them, and the command that applies both. */
function showWritten(page: Page, specs: readonly PickedSpec[], consumer: string): void {
  const field = (id: string): string => document.getElementById(id).value;
  const namings = specs.map((_, at): Naming => ({
    name: specs.length === 1 ? field("name") : `${field("name")}-${at + 1}`,
    namespace: field("namespace"),
    interval: field("interval"),
  }));
  const objects = specs.map((spec, at) => page.manifestYaml(page.model, namings[at]!, spec));
  const consumers = namings.flatMap((naming) =>
    consumer === "HelmRelease" || consumer === "Kustomization" ? [page.consumerYaml(consumer, naming)] : [],
  );
  document.getElementById("manifest").textContent = objects.join("---\n");
  document.getElementById("consumer-manifest").textContent = consumers.join("---\n");
  document.getElementById("consumed").hidden = consumers.length === 0;
  document.getElementById("command").textContent = page.kubectlCommand(objects.concat(consumers).join("---\n"));
}

/** The consumer that was chosen, else the one that all that is picked has in common. */
function consumerFor(model: PageModel, { layers, resources }: Picks, manifests: PageTools["manifestsOf"]): string {
  const chosen = document.getElementById("consumer").value;
  const all = manifests(model, layers)
    .map((manifest) => model.manifests[manifest]!.consumer)
    .concat(resources.map((resource) => model.resources[resource]!.consumer));
  return chosen !== "" ? chosen : all.every((one) => one === all[0]) ? (all[0] ?? "none") : "none";
}

function summaryOf({ model, isSame, manifestsOf }: Page, { layers, resources }: Picks, objects: number): string {
  const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
  const parts = [
    ...(resources.length > 0 ? [counted(resources.length, "resource")] : []),
    ...(layers.length > 0
      ? [`${counted(layers.length, "layer")} of ${counted(manifestsOf(model, layers).length, "manifest")}`]
      : []),
  ].join(" and ");
  if (objects > 1) return `${parts}, as ${objects} objects`;
  return resources.length === 0 && isSame(layers, model.usualLayers)
    ? `${parts}: what is taken without any selector`
    : parts;
}

/** A sentence about the first field that is of no use; undefined where all are. */
function fieldProblem(): string | undefined {
  const wrong = ["name", "namespace", "interval"].find((id) => !document.getElementById(id).validity.valid);
  return wrong === undefined ? undefined : document.getElementById(wrong).dataset["problem"];
}

const pageScope: PageScope = {
  functions: [
    consumerFor,
    fieldProblem,
    listPicked,
    pickLayers,
    picksOf,
    resetTo,
    showManifest,
    showRows,
    showSelection,
    showWritten,
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
    ...[deriveScope, objectsScope, yamlScope, clipboardScope, detailsScope, rowsScope].map(
      (scope) => `...${scopeSource(scope)}`,
    ),
  ];
  return `"use strict";\n${scopeSource(pageScope)}.startPage({ ${tools.join(", ")} });\n`;
}
