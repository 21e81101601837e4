import type { PageDocument } from "./browser.ts";
import type { Facts } from "./facts.ts";
import type { PageScope } from "./page-scope.ts";

declare const document: PageDocument;

// All functions of this file run in the page alone: they use nothing from elsewhere.

/** Shows what is known of a row when it is asked for; `read` gives what is known of all rows. */
export function startDetails(read: () => readonly Facts[]): void {
  const dialog = document.getElementById("details");
  let facts: readonly Facts[] | undefined;
  document.getElementById("tree").addEventListener("click", ({ target }) => {
    const button = target.closest(".more");
    if (button === null) return;
    facts ??= read();
    showFacts(facts[Number(button.dataset["facts"])]!);
    dialog.showModal();
  });
  document.getElementById("close").addEventListener("click", () => dialog.close());
  // A click beside the dialog is one on its backdrop.
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
  });
}

/** Everything becomes text; none of it is markup. */
function showFacts([title, ...rows]: Facts): void {
  document.getElementById("details-title").textContent = title;
  const pairs = rows.map(([key, value]) => {
    const pair = document.createElement("div");
    const [term, description] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = key;
    description.textContent = value;
    pair.append(term, description);
    return pair;
  });
  document.getElementById("details-list").replaceChildren(...pairs);
}

export const detailsScope: PageScope = { functions: [startDetails, showFacts], offers: { startDetails } };
