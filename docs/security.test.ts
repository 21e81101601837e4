import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { parseArtifactRepository } from "../api/v1beta1/parse.ts";
import { verifyLimits } from "../src/config.ts";
import { parseTrustPolicy, statementFor } from "../src/verify/notation/trust-policy.ts";

const page = readFileSync(join(import.meta.dirname, "security.md"), "utf8");
const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].flatMap(([, text = ""]) => parseAllDocuments(text).map((document) => document.toJS() as Record<string, unknown>));

it("its examples are valid and fit together", () => {
  const [secret = {}, repository = {}] = examples;
  const { "trustpolicy.json": policy = "" } = (secret["stringData"] ?? {}) as Record<string, string>;
  const parsed = parseArtifactRepository(repository);
  expect(parsed).not.toHaveProperty("issues");
  const { url, verify } = (repository["spec"] ?? {}) as { url: string; verify: { secretRef: { name: string } } };
  expect(statementFor(parseTrustPolicy(Buffer.from(policy), "example"), url.replace("oci://", "")).name).toBe("product");
  expect((secret["metadata"] as { name: string }).name).toBe(verify.secretRef.name);
});

it("its numbers are those of the configuration", () => {
  expect(page).toContain(`at most ${verifyLimits.maxSignatures} are looked at, none larger than ${verifyLimits.maxSignatureBytes / 1024 / 1024} MiB`);
  expect(verifyLimits.cacheTtlMs).toBe(3_600_000);
});

it("its table of contents leads somewhere", () => {
  const headings = new Set([...page.matchAll(/^## (.*)$/gm)].map(([, title = ""]) => title.toLowerCase().replace(/[^a-z0-9 -]/g, "").replaceAll(" ", "-")));
  const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
  expect(links.length).toBeGreaterThan(0);
  expect(links.filter((anchor) => !headings.has(anchor ?? ""))).toEqual([]);
});
