import { createHash } from "node:crypto";

/**
 * The Lease of those who reconcile the same objects: each shard has a leader of its own. Two selectors share one only where they
 * say the same, requirement by requirement; what they are called in the name is for people, and the hash tells them apart.
 */
export function leaseName(component: string, labelSelector: string): string {
  // A comma between parentheses separates values, not requirements.
  const requirements = labelSelector.split(/,(?![^()]*\))/).map(normalised);
  const selector = [...new Set(requirements)]
    .filter((requirement) => requirement !== "")
    .sort()
    .join(",");
  if (selector === "") return `${component}-leader-election`;
  const readable = selector
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 100);
  const hash = createHash("sha256").update(selector).digest("hex").slice(0, 10);
  return [component, readable, hash, "leader-election"]
    .filter((part) => part !== "")
    .join("-")
    .replace(/-+/g, "-");
}

/** Without the spaces that mean nothing; `==` is `=`. */
function normalised(requirement: string): string {
  return requirement
    .trim()
    .replace(/\s+/g, " ")
    .replace(/ ?(==|!=|=|[(),!]) ?/g, (_, sign: string) => (sign === "==" ? "=" : sign));
}
