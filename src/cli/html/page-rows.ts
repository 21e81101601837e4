import type { PageDocument, PageElement, PageEvent } from "./browser.ts";
import type { PageScope } from "./page-scope.ts";

declare const document: PageDocument;

// All functions of this file run in the page alone: they use nothing from elsewhere.

/** Rows open and close, are found by words, and are one stop of the Tab key together. */
function startRows(): void {
  const tree = document.getElementById("tree");
  tree.addEventListener("click", ({ target }) => {
    const toggle = target.closest(".toggle");
    if (toggle !== null) openRow(toggle.closest("li")!, toggle.closest("li")!.classList.contains("closed"));
  });
  tree.addEventListener("keydown", moveInTree);
  tree.addEventListener("focusin", ({ target }) => {
    if (stopOf(target.closest(".row")!) === target) makeStop(target);
  });
  startFilter(tree);
  makeStop(stopsOf(tree)[0]);
}

function openRow(item: PageElement, isOpen: boolean): void {
  const toggle = item.querySelector(".toggle")!;
  item.classList.toggle("closed", !isOpen);
  toggle.setAttribute("aria-expanded", String(isOpen));
}

/** What of a row takes the focus: its checkbox, else what opens it, else its details. */
function stopOf(row: PageElement): PageElement | null {
  return row.querySelector("input:not([disabled])") ?? row.querySelector(".toggle") ?? row.querySelector(".more");
}

/** The stops of all rows that are to be seen, from top to bottom. */
function stopsOf(tree: PageElement): PageElement[] {
  return [...tree.querySelectorAll(".row")]
    .filter((row) => row.offsetParent !== null)
    .flatMap((row) => stopOf(row) ?? []);
}

/** The Tab key enters the tree at the row that was left last. */
function makeStop(stop: PageElement | undefined): void {
  for (const former of document.querySelectorAll("#tree [tabindex='0']")) former.tabIndex = -1;
  if (stop !== undefined) stop.tabIndex = 0;
}

/** Up, down, Home and End go from row to row, left and right close and open, Enter shows the details. */
function moveInTree(event: PageEvent): void {
  const { target, key } = event;
  const row = target.closest(".row");
  if (row === null) return;
  const item = row.closest("li")!;
  if (key === "ArrowLeft" || key === "ArrowRight") turnRow(item, key === "ArrowRight");
  else if (key === "Enter" && target.matches("input")) row.querySelector(".more")?.click();
  else {
    const stops = ["ArrowUp", "ArrowDown", "Home", "End"].includes(key)
      ? stopsOf(document.getElementById("tree"))
      : undefined;
    if (stops === undefined) return;
    const at = stops.indexOf(stopOf(row)!);
    const next = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: stops.length - 1 }[key]!;
    focusOn(stops[next]);
  }
  event.preventDefault();
}

/** Right opens what is closed; left closes what is open, else goes to what it lies in. */
function turnRow(item: PageElement, isRight: boolean): void {
  const isClosed = item.classList.contains("closed");
  const hasRows = [...item.children].some((child) => child.matches("ul"));
  if (hasRows && isClosed === isRight) openRow(item, isRight);
  else if (!isRight) {
    const outer = item.parentElement!.closest("li");
    if (outer !== null) focusOn(stopOf(outer.querySelector(".row")!) ?? undefined);
  }
}

function focusOn(stop: PageElement | undefined): void {
  if (stop === undefined) return;
  makeStop(stop);
  stop.focus();
  stop.closest(".row")!.scrollIntoView({ block: "nearest" });
}

function startFilter(tree: PageElement): void {
  const box = document.getElementById("filter");
  const texts = new Map<PageElement, string>();
  /** Which rows were closed before anything was looked for. */
  const before = new Map<PageElement, boolean>();
  box.addEventListener("input", () => {
    const words = wordsOf(box.value);
    for (const item of words.length > 0 && before.size === 0 ? tree.querySelectorAll("li") : [])
      before.set(item, item.classList.contains("closed"));
    const search = { words, texts, hits: [], shown: new Set<PageElement>() };
    const [top] = tree.children;
    for (const item of words.length > 0 ? top!.children : []) findIn(item, search);
    if (words.length > 0) showFound(before.keys(), search);
    else showAll(before);
    makeStop(stopsOf(tree)[0]);
  });
}

/** Lower case; of a whole digest what a row shows of it. */
function wordsOf(text: string): string[] {
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "")
    .map((word) => word.replace(/^sha(?:256|512):([0-9a-f]{1,12})[0-9a-f]*$/, "$1"));
}

interface Search {
  readonly words: readonly string[];
  /** The text of each row, read once. */
  readonly texts: Map<PageElement, string>;
  readonly hits: PageElement[];
  readonly shown: Set<PageElement>;
}

function textOf(item: PageElement, texts: Map<PageElement, string>): string {
  const text = texts.get(item) ?? (item.querySelector(".row")!.textContent ?? "").toLowerCase();
  texts.set(item, text);
  return text;
}

/** Finds the rows that have all words; a row is shown for what it holds, and for what it lies in. Groups have no text. */
function findIn(item: PageElement, search: Search, isInside = false): boolean {
  const { words, texts, hits, shown } = search;
  const text = textOf(item, texts);
  const isHit = !item.matches(".group") && words.every((word) => text.includes(word));
  if (isHit) hits.push(item);
  const below = [...item.children].find((child) => child.matches("ul"));
  const found = [...(below?.children ?? [])].map((child) => findIn(child, search, isInside || isHit));
  const isFound = isHit || found.includes(true);
  if (isFound || isInside) shown.add(item);
  return isFound;
}

/** Opens the way to what was found, where it is little enough to be looked through. */
function showFound(items: Iterable<PageElement>, { hits, shown }: Search): void {
  const maxOpened = 200;
  for (const item of items) item.hidden = !shown.has(item);
  for (const hit of hits.length > maxOpened ? [] : hits)
    for (let outer = hit.parentElement!.closest("li"); outer !== null; outer = outer.parentElement!.closest("li"))
      openRow(outer, true);
  document.getElementById("found").textContent = `${hits.length} ${hits.length === 1 ? "row" : "rows"} found`;
}

function showAll(before: Map<PageElement, boolean>): void {
  for (const [item, isClosed] of before) {
    item.hidden = false;
    if (item.classList.contains("closed") !== isClosed) openRow(item, !isClosed);
  }
  before.clear();
  document.getElementById("found").textContent = "";
}

export const rowsScope: PageScope = {
  functions: [
    startRows,
    openRow,
    stopOf,
    stopsOf,
    makeStop,
    moveInTree,
    turnRow,
    focusOn,
    startFilter,
    wordsOf,
    findIn,
    textOf,
    showFound,
    showAll,
  ],
  offers: { startRows },
};
