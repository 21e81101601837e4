import type { TreeEntry } from "../../explore/tree.ts";
import type { BuiltModel } from "./built-model.ts";
import { short, type Facts } from "./facts.ts";
import { markup, type Markup } from "./markup.ts";

/** Rows on one level; more of them lie in groups, which start closed. */
const groupSize = 50;
/** The style sheet indents no deeper. */
export const maxDepth = 16;

/** Where a row is drawn, and what is collected on the way. */
export interface Drawing {
  readonly built: BuiltModel;
  readonly depth: number;
  readonly isOpen: (entry: TreeEntry) => boolean;
  /** The details of every row that has some, in the order of their numbers. */
  readonly facts: Facts[];
}

export interface Row {
  readonly className: string;
  /** What it is picked with. */
  readonly box?: Markup;
  /** Id of the box, where a click on the row is meant for it. */
  readonly labelled?: string;
  readonly what: Markup;
  readonly size: string;
  /** What the last column shows the beginning of. */
  readonly digest?: string | undefined;
  readonly facts?: Facts;
  /** Undefined for a row that holds nothing. */
  readonly children?: readonly Markup[];
  readonly isOpen?: boolean;
}

/** One level further down. */
export function below(drawing: Drawing): Drawing {
  return { ...drawing, depth: Math.min(drawing.depth + 1, maxDepth) };
}

/** A row in the columns checkbox, what, size and digest, and the rows below it. */
export function rowMarkup({ depth, facts: collected }: Drawing, row: Row): Markup {
  const { className, box, labelled, what, size, digest, facts, children, isOpen = true } = row;
  const state = children === undefined || isOpen ? "" : " closed";
  const more =
    facts === undefined
      ? undefined
      : markup`<button type="button" class="more" tabindex="-1" data-facts="${collected.push(facts) - 1}" aria-label="Details of ${facts[0]} ${shortDigest(digest)}"><code>${shortDigest(digest)}</code></button>`;
  const below = children === undefined ? undefined : markup`\n<ul>${children}</ul>`;
  return markup`<li class="${className}${state}"><div class="row d${depth}">${box ?? markup`<span></span>`}${whatMarkup(row, what, labelled)}<span class="size">${size}</span>${more ?? markup`<span></span>`}</div>${below}</li>\n`;
}

function whatMarkup({ children, isOpen = true }: Row, what: Markup, labelled: string | undefined): Markup {
  if (children !== undefined)
    return markup`<button type="button" class="what toggle" tabindex="-1" aria-expanded="${String(isOpen)}">${what}</button>`;
  return labelled === undefined
    ? markup`<span class="what">${what}</span>`
    : markup`<label class="what" for="${labelled}">${what}</label>`;
}

interface Grouping<T> {
  readonly draw: (item: T, drawing: Drawing) => Markup;
  readonly isOpen: (item: T) => boolean;
  /** `manifests` */
  readonly noun: string;
  /** What a group says of the first and the last of its rows. */
  readonly hint: (item: T) => string;
}

/** All rows, or where they are many groups of them. */
export function grouped<T>(items: readonly T[], drawing: Drawing, grouping: Grouping<T>): Markup {
  if (items.length <= groupSize * 1.2) return joined(items.map((item) => grouping.draw(item, drawing)));
  const starts = Array.from({ length: Math.ceil(items.length / groupSize) }, (_, at) => at * groupSize);
  return joined(
    starts.map((start) =>
      groupMarkup(items.slice(start, start + groupSize), start, drawing, { ...grouping, all: items.length }),
    ),
  );
}

function groupMarkup<T>(
  items: readonly T[],
  start: number,
  drawing: Drawing,
  { draw, isOpen, noun, hint, all }: Grouping<T> & { readonly all: number },
): Markup {
  const [first, last] = [hint(items[0]!), hint(items.at(-1)!)];
  const inner = below(drawing);
  return rowMarkup(drawing, {
    className: "node group",
    what: markup`<span class="kind">${start + 1}–${start + items.length} of ${all}</span> <span class="type">${short(first === last ? first : `${first} … ${last}`)}</span>`,
    size: `${items.length} ${noun}`,
    children: items.map((item) => draw(item, inner)),
    isOpen: items.some(isOpen),
  });
}

function joined(pieces: readonly Markup[]): Markup {
  return { html: pieces.map(({ html }) => html).join("") };
}

/** `0123456789ab`, enough to find it by. */
function shortDigest(digest: string | undefined): string {
  if (digest === undefined) return "details";
  return digest.slice(digest.indexOf(":") + 1, digest.indexOf(":") + 13);
}
