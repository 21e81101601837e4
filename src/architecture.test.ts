import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { describe, expect, it } from "vitest";

/**
 * Which part of the project may import which. A key is a folder or a file without its suffix; a file is bound by every
 * key that it lies under, taken together. A part of `src` without a row may import nothing of the project, so a new
 * folder needs a row. Widen a row only where the architecture page, or an ADR, says why.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  // Plain data and rules: nothing of the project.
  api: ["api"],
  "src/errors": [],
  "src/flags": ["src/errors"],
  "src/controller-flags": ["src/flags"],
  "src/config": ["src/errors", "src/flags", "src/controller-flags", "src/oci/limits"],
  "src/text": [],
  "src/turns": [],
  // What everything that speaks HTTP shares.
  "src/http": ["src/errors"],

  // What objects share, by the access that each has proved.
  "src/sharing": [],

  // The model. No HTTP, no Kubernetes, no environment.
  "src/oci": ["src/errors", "src/sharing", "src/text"],
  "src/tags": ["src/errors", "src/oci"],
  "src/select": ["src/errors", "src/oci", "src/text"],
  "src/explore": ["src/errors", "src/oci", "src/select"],
  "src/archive": ["src/errors", "src/text", "src/turns", "src/oci"],
  "src/operation": ["src/errors", "src/oci", "src/archive"],

  // Adapters. Each knows the model and its own outside world, never another adapter.
  "src/kube": ["src/errors", "src/http", "src/text", "api"],
  "src/registry": ["src/errors", "src/text", "src/http", "src/oci", "src/sharing", "src/credentials/provider"],
  "src/credentials": ["src/errors", "src/text", "src/http", "src/oci", "src/sharing"],
  "src/credentials/secret": ["src/kube/client"],
  "src/verify": ["src/errors", "src/text", "src/oci", "src/sharing", "src/kube/client"],
  "src/store": ["src/errors", "src/text", "src/oci"],
  "src/serve": ["src/errors", "src/oci", "src/store"],
  "src/publish": ["src/errors", "src/oci", "src/store/store", "src/store/image-manifest"],
  "src/publish/companion": ["src/kube/client", "api"],
  "src/publish/external-artifact": ["src/kube/client", "src/kube/conditions", "api"],
  "src/publish/oci-repository": ["src/kube/client", "src/kube/conditions", "api"],

  // From a spec to a built artifact: what controller, command line and `serve` share.
  "src/pipeline": [
    "src/errors",
    "src/oci",
    "src/sharing",
    "src/tags",
    "src/select",
    "src/archive",
    "src/operation",
    "src/verify",
    "src/credentials",
    "src/store/store",
    "src/kube/client",
    "src/config",
    "api",
  ],

  // The reconciler: ports and pure code. It is handed its adapters.
  "src/controller": [
    "src/errors",
    "src/oci",
    "src/select",
    "src/archive",
    "src/operation",
    "src/pipeline",
    "src/config",
    "src/publish/external-artifact",
    "src/kube/run",
    "src/verify/verifier",
    "src/store/store",
    "src/kube/client",
    "src/kube/conditions",
    "api",
  ],

  // The process around the reconciler: logs, metrics, probes.
  "src/runtime": ["src/errors", "src/kube/client", "src/config"],

  "src/sign": ["src/errors", "src/text", "src/oci", "src/verify", "src/copy/transfer"],
  "src/copy": ["src/errors", "src/oci", "src/verify"],
  "src/output": ["src/errors", "src/oci", "src/archive"],

  // Composition: these hand the adapters over.
  "src/wiring": ["src", "api"],
  "src/cli": ["src", "api"],
  "src/main": ["src", "api"],

  "src/testing": ["src", "api"],
  crds: ["api", "crds"],
  config: ["api", "crds", "config"],
};

/** What may be imported as types alone, which leaves nothing behind at run time. */
const mayImportTypes: Readonly<Record<string, readonly string[]>> = {
  // The options whose defaults it holds.
  "src/config": ["src"],
  // What its metrics show of the queue.
  "src/runtime": ["src/kube/run/queue"],
  "src/controller": ["src/runtime/metrics"],
  "src/pipeline": ["src/registry/client"],
  // A known layout has a default operation.
  "src/select": ["src/operation/operation"],
};

/** Only these, and tests, may import `src/testing`. */
const testingUsers = ["src/testing", "bench", "e2e", "demo", "vitest.config", "vitest.e2e.config"];

/** Packages that belong to one part: whoever else needs what they do asks that part. */
const packageOwners: Readonly<Record<string, readonly string[]>> = {
  "@kubernetes/client-node": ["src/kube"],
  "@sigstore/verify": ["src/verify"],
  "@sigstore/bundle": ["src/verify"],
  "@sigstore/tuf": ["src/verify"],
  "@aws-sdk/client-ecr": ["src/credentials"],
  "@aws-sdk/client-ecr-public": ["src/credentials"],
  "@azure/identity": ["src/credentials"],
  "google-auth-library": ["src/credentials"],
  tar: ["src/testing"],
  zod: ["api", "crds", "src/oci"],
};

const root = join(import.meta.dirname, "..");
const skipped = new Set(["node_modules", "dist", ".git", ".cache", "coverage", "fixtures"]);

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : filesBelow(path);
    return entry.isFile() ? [relative(root, path).split(sep).join("/")] : [];
  });
}

const allFiles = filesBelow(root);
const read = (file: string) => readFileSync(join(root, file), "utf8");
const typescript = allFiles.filter((file) => file.endsWith(".ts"));
const isTest = (file: string) => /\.(test|e2e)\.ts$/.test(file);
const product = typescript.filter((file) => !isTest(file));

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** What a source file imports or re-exports, statically or not. */
function importsOf(source: string): Import[] {
  const patterns = [
    /^\s*(?:import|export)\s(?<types>type\s)?[^;"]*?\bfrom\s+"(?<specifier>[^"]+)"/gm,
    /^\s*import\s+"(?<specifier>[^"]+)"/gm,
    /\bimport\(\s*"(?<specifier>[^"]+)"/g,
  ];
  return patterns.flatMap((pattern) =>
    [...source.matchAll(pattern)].map(({ groups }) => ({
      specifier: groups?.["specifier"] ?? "",
      typeOnly: groups?.["types"] !== undefined,
    })),
  );
}

const isUnder = (path: string, part: string) => path === part || path.startsWith(`${part}/`);
const withoutSuffix = (path: string) => path.replace(/\.(ts|json)$/, "");

/** Why `file` may not import `specifier`; undefined where it may. */
function refusal(file: string, { specifier, typeOnly }: Import): string | undefined {
  const from = withoutSuffix(file);
  if (!specifier.startsWith(".")) return packageRefusal(from, specifier);
  if (!/\.(ts|json)$/.test(specifier)) return "relative imports carry their suffix";
  const target = withoutSuffix(posix.normalize(posix.join(posix.dirname(file), specifier)));
  if (isUnder(target, "src/testing") && !testingUsers.some((user) => isUnder(from, user)))
    return "src/testing is for tests";
  const rows = Object.keys(mayImport).filter((part) => isUnder(from, part));
  const bound = isUnder(from, "src") || rows.length > 0;
  if (!bound || rows.some((part) => isUnder(target, part))) return undefined;
  const allowed = rows.flatMap((part) => [
    ...(mayImport[part] ?? []),
    ...(typeOnly ? (mayImportTypes[part] ?? []) : []),
  ]);
  return allowed.some((part) => isUnder(target, part))
    ? undefined
    : `${rows.join(", ") || from} may import only: ${allowed.join(", ")}`;
}

function packageRefusal(from: string, specifier: string): string | undefined {
  const name = Object.keys(packageOwners).find((owned) => isUnder(specifier, owned));
  const owners = name === undefined ? undefined : packageOwners[name];
  const free = !isUnder(from, "src") && !isUnder(from, "api");
  if (owners === undefined || free || owners.some((owner) => isUnder(from, owner))) return undefined;
  return `${name} belongs to ${owners.join(", ")}`;
}

describe("imports", () => {
  it("go only where the table allows", () => {
    const refusals = product.flatMap((file) =>
      importsOf(read(file)).flatMap((found) => {
        const why = refusal(file, found);
        return why === undefined ? [] : [`${file} → ${found.specifier}: ${why}`];
      }),
    );
    expect(refusals).toEqual([]);
  });

  it.each([
    ["src/oci/walk.ts", "../registry/client.ts", /may import only/],
    ["src/select/select.ts", "../archive/tree.ts", /may import only/],
    ["src/controller/reconcile.ts", "../registry/client.ts", /may import only/],
    ["src/controller/reconcile.ts", "../store/storage.ts", /may import only/],
    ["src/registry/auth.ts", "../credentials/secret.ts", /may import only/],
    ["src/store/storage.ts", "../kube/client.ts", /may import only/],
    ["src/brandnew/thing.ts", "../errors.ts", /may import only/],
    ["api/v1beta1/parse.ts", "../../src/errors.ts", /may import only/],
    ["src/cli/build.ts", "../testing/registry.ts", /for tests/],
    ["src/oci/walk.ts", "./digest", /suffix/],
    ["src/select/select.ts", "zod", /belongs to/],
    ["src/controller/reconcile.ts", "@kubernetes/client-node", /belongs to/],
  ])("are refused: %s → %s", (file, specifier, why) => {
    expect(refusal(file, { specifier, typeOnly: false })).toMatch(why);
  });

  it.each([
    ["src/oci/walk.ts", "./digest.ts"],
    ["src/credentials/secret.ts", "../kube/client.ts"],
    ["src/publish/external-artifact.ts", "../kube/conditions.ts"],
    ["src/publish/external-artifact.ts", "../oci/types.ts"],
    ["src/main.ts", "./registry/client.ts"],
    ["bench/run.ts", "../src/testing/registry.ts"],
    ["src/oci/schema.ts", "zod"],
    ["src/cli/tree.ts", "node:fs"],
  ])("are allowed: %s → %s", (file, specifier) => {
    expect(refusal(file, { specifier, typeOnly: false })).toBeUndefined();
  });

  it("may be of types alone where the second table says so", () => {
    const specifier = "./registry/client.ts";
    expect(refusal("src/config.ts", { specifier, typeOnly: true })).toBeUndefined();
    expect(refusal("src/config.ts", { specifier, typeOnly: false })).toMatch(/may import only/);
    expect(refusal("src/controller/reconcile.ts", { specifier: "../registry/client.ts", typeOnly: true })).toMatch(
      /may import only/,
    );
  });

  it("are found in every form", () => {
    const source = [
      'import { a,\n  b } from "./a.ts";',
      'import type { C } from "./c.ts";',
      'export { d } from "./d.ts";',
      'import "./e.ts";',
      'const f = await import("./f.ts");',
    ].join("\n");
    const found = importsOf(source);
    expect(found.map(({ specifier }) => specifier).sort()).toEqual(["./a.ts", "./c.ts", "./d.ts", "./e.ts", "./f.ts"]);
    expect(found.filter(({ typeOnly }) => typeOnly).map(({ specifier }) => specifier)).toEqual(["./c.ts"]);
  });

  it("use only packages that the bundles carry", () => {
    const { dependencies } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };
    const carried = (specifier: string) =>
      /^(\.|node:)/.test(specifier) || Object.keys(dependencies).some((name) => isUnder(specifier, name));
    const bundled = product.filter((file) => /^(src|api)\//.test(file) && !isUnder(file, "src/testing"));
    const foreign = bundled.flatMap((file) =>
      importsOf(read(file)).flatMap(({ specifier }) => (carried(specifier) ? [] : [`${file} → ${specifier}`])),
    );
    expect(foreign).toEqual([]);
  });
});

describe("house rules", () => {
  const offenders = (files: readonly string[], pattern: RegExp) => files.filter((file) => pattern.test(read(file)));

  it("no source file is longer than 300 lines", () => {
    expect(product.filter((file) => read(file).trimEnd().split("\n").length > 300)).toEqual([]);
  });

  it("no folder is named after nothing", () => {
    const vague = new Set(["utils", "util", "helpers", "common", "misc", "lib"]);
    expect(
      typescript.filter((file) =>
        dirname(file)
          .split("/")
          .some((name) => vague.has(name)),
      ),
    ).toEqual([]);
  });

  it("exports have names", () => {
    expect(offenders(product, /^export default /m).filter((file) => !/(^|\/)vitest\.[a-z.]*ts$/.test(file))).toEqual(
      [],
    );
  });

  it("no test replaces a module", () => {
    const mock = new RegExp(String.raw`\bvi\.(do)?mo` + String.raw`ck\(`);
    expect(offenders(typescript.filter(isTest), mock)).toEqual([]);
  });

  it("only src/config.ts reads the environment", () => {
    const readers = offenders(
      product.filter((file) => /^(src|api|crds|config)\//.test(file)),
      /\bprocess\.env\b|\bprocess\["env"\]|\benv\b[^;\n]*from "node:process"/,
    );
    expect(readers).toEqual(["src/config.ts"]);
  });

  it("only src/text/json.ts parses JSON that others have written", () => {
    const own = {
      "src/cli/html/page-script.ts": "the page's own model",
      "src/kube/http/exchange.ts": "answers of the API server, which caps their depth itself",
      "src/kube/local/memory-object.ts": "a copy",
      "src/kube/local/memory.ts": "a copy",
      "src/runtime/log.ts": "a line that was just written",
      "src/text/json.ts": "the reader",
    };
    const parsers = offenders(
      product.filter((file) => /^(src|api)\//.test(file) && !isUnder(file, "src/testing")),
      /\bJSON\.parse\b|\.json\(\)/,
    );
    expect(parsers).toEqual(Object.keys(own));
  });

  it("no file names a machine's path or a package registry", () => {
    const text = allFiles.filter((file) =>
      /\.(ts|js|json|ya?ml|md|sh|html|svg|txt)$|(^|\/)(Dockerfile|\.npmrc|run)$/.test(file),
    );
    const machinePath = /(^|[\s"'`=(:])\/(work|root|Users|tmp\/[a-z_]+jobs)\//m;
    expect(offenders(text, machinePath)).toEqual([]);
    expect(offenders(["package-lock.json"], /"resolved":/)).toEqual([]);
    expect(offenders([".npmrc"], /registry\s*=\s*\w+:/)).toEqual([]);
  });
});
