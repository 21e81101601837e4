import type { PageDocument } from "./browser.ts";
import type { PageScope } from "./page-scope.ts";

declare const document: PageDocument;
declare const navigator: { readonly clipboard?: { writeText(text: string): Promise<void> } };
declare const getSelection: () => { removeAllRanges(): void; addRange(range: unknown): void };

// All functions of this file run in the page alone: they use nothing from elsewhere.

export function startCopying(): void {
  document.getElementById("copy").addEventListener("click", () => void copyText("manifest"));
  document.getElementById("copy-command").addEventListener("click", () => void copyText("command"));
}

async function copyText(id: string): Promise<void> {
  const text = document.getElementById(id);
  const status = document.getElementById("status");
  try {
    await navigator.clipboard!.writeText(text.textContent ?? "");
    status.textContent = "Copied.";
  } catch {
    // Browsers give the clipboard only to pages that they trust.
    const folded = text.closest("details");
    if (folded !== null) folded.open = true;
    const range = document.createRange();
    range.selectNodeContents(text);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    status.textContent = "Press Ctrl+C or ⌘C to copy what is marked.";
  }
}

export const clipboardScope: PageScope = { functions: [startCopying, copyText], offers: { startCopying } };
