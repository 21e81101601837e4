import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { parseArtifactRepository } from "../api/v1beta1/parse.ts";
import { credentialDefaults, verifyLimits } from "../src/config.ts";
import { patienceFor } from "../src/sharing/shared-work.ts";
import { parseTrustPolicy, statementFor } from "../src/verify/notation/trust-policy.ts";

const page = readFileSync(join(import.meta.dirname, "security.md"), "utf8");
const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].flatMap(([, text = ""]) =>
  parseAllDocuments(text).map((document) => document.toJS() as Record<string, unknown>),
);

it("its examples are valid and fit together", () => {
  const [secret = {}, repository = {}] = examples;
  const { "trustpolicy.json": policy = "" } = (secret["stringData"] ?? {}) as Record<string, string>;
  const parsed = parseArtifactRepository(repository);
  expect(parsed).not.toHaveProperty("issues");
  const { url, verify } = (repository["spec"] ?? {}) as { url: string; verify: { secretRef: { name: string } } };
  expect(statementFor(parseTrustPolicy(Buffer.from(policy), "example"), url.replace("oci://", "")).name).toBe(
    "product",
  );
  expect((secret["metadata"] as { name: string }).name).toBe(verify.secretRef.name);
});

it("its numbers are those of the configuration", () => {
  expect(page).toContain(
    `at most ${verifyLimits.maxSignatures} are looked at, none larger than ${verifyLimits.maxSignatureBytes / 1024 / 1024} MiB`,
  );
  expect(verifyLimits.cacheTtlMs).toBe(3_600_000);
  const { ocsp, revocationList, revocationCache } = verifyLimits;
  expect(page).toContain(`OCSP for at most ${ocsp.timeoutMs / 1000} s and ${ocsp.maxBytes / 1024} KiB`);
  expect(page).toContain(`for ${revocationList.timeoutMs / 1000} s and ${revocationList.maxBytes / 1024 / 1024} MiB`);
  expect(page).toContain(`for an hour, ${revocationCache.maxSize / 1024 / 1024} MiB in all`);
});

it("its table of contents leads somewhere", () => {
  const headings = new Set(
    [...page.matchAll(/^## (.*)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, "")
        .replaceAll(" ", "-"),
    ),
  );
  const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
  expect(links.length).toBeGreaterThan(0);
  expect(links.filter((anchor) => !headings.has(anchor ?? ""))).toEqual([]);
});

describe("the list of what objects share", () => {
  const root = join(import.meta.dirname, "..");
  const section = page.slice(
    page.indexOf("\n## What objects share"),
    page.indexOf("\n## ", page.indexOf("\n## What objects share") + 1),
  );
  const listed = new Set([...section.matchAll(/`(src\/[^`]+\.ts)`/g)].map(([, file]) => file));
  /** What outlives one piece of work: caches, work in common, room, and fields that gather. */
  const lasting =
    /new (?:LRUCache|SharedCache|SharedWork|Permits)\b|\bpLimit\(|^ {2}(?:readonly )?#\w+[^=\n]* = new (?:Map|Set)\b|^(?:let|const) \w+ = new (?:Map|Set|WeakMap)(?:<[^\n]*>)?\(\);|const idle: string\[\] = \[\]/m;
  /** Parts of the controller that live as long as it does. The rest computes, or belongs to the command line. */
  const parts = [
    "controller",
    "credentials",
    "http",
    "kube",
    "pipeline",
    "publish",
    "reconciler",
    "registry",
    "serve",
    "sign",
    "store",
    "verify",
    "wiring",
  ];
  const own = /\.test\.ts$|^src\/kube\/local\//;
  const files = parts
    .flatMap((part) =>
      readdirSync(join(root, "src", part), { recursive: true, encoding: "utf8" }).map((name) => `src/${part}/${name}`),
    )
    .filter((file) => file.endsWith(".ts") && !own.test(file));
  const found = files.filter((file) => lasting.test(readFileSync(join(root, file), "utf8")));

  it("names every file that keeps something", () => {
    expect(found.length).toBeGreaterThan(15);
    expect(found.filter((file) => !listed.has(file))).toEqual([]);
  });

  it("names no file that keeps nothing", () => {
    expect([...listed].filter((file) => !found.includes(file ?? ""))).toEqual([]);
  });

  it("has its numbers from the code", () => {
    expect([patienceFor(60_000), patienceFor(1)]).toEqual([5000, 0.5]);
    expect(credentialDefaults.cloud.timeoutMs).toBe(30_000);
  });
});
