import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { describe, expect, it } from "vitest";
import { importsOf, type Import } from "./testing/architecture/imports.ts";
import type { Room } from "./testing/architecture/inner-rooms.ts";
import { rooms } from "./testing/architecture/rooms.ts";
import { tableRows, withTable } from "./testing/architecture/table.ts";

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
const withoutSuffix = (path: string) => path.replace(/\.(ts|json)$/, "");
const isUnder = (path: string, part: string) => path === part || path.startsWith(`${part}/`);

/** The longest path in the table that a file lies under. */
function roomOf(path: string): string | undefined {
  const names = Object.keys(rooms).filter((name) => isUnder(path, name));
  return names.toSorted((a, b) => b.length - a.length)[0];
}

/** What an import is in the table: which list of which room, and what has to stand there. */
interface Use {
  readonly list: "imports" | "types" | "packages" | "reaches";
  /** Any of these allows it, the wider one first. */
  readonly entries: readonly string[];
}

/** Modules of Node that only compute are everybody's. */
const outside = new Set(
  "fs http https http2 net tls dns dgram child_process worker_threads cluster process".split(" "),
);

/** Undefined where nothing has to be allowed; a sentence where nothing can allow it. */
function useOf(file: string, { specifier, typeOnly }: Import): Use | string | undefined {
  if (specifier.startsWith("node:")) return typeOnly ? undefined : nodeUse(specifier.slice("node:".length));
  if (!specifier.startsWith(".")) return packageUse(specifier);
  if (!/\.(ts|json)$/.test(specifier)) return "relative imports carry their suffix";
  const target = withoutSuffix(posix.normalize(posix.join(posix.dirname(file), specifier)));
  const room = roomOf(target);
  if (room === undefined) return `${target} is in no room of the table`;
  if (room === roomOf(withoutSuffix(file))) return undefined;
  return { list: typeOnly ? "types" : "imports", entries: [room, target] };
}

function nodeUse(module: string): Use | undefined {
  const [name = ""] = module.split("/");
  return outside.has(name) ? { list: "reaches", entries: [name] } : undefined;
}

function packageUse(specifier: string): Use {
  const name = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1);
  return { list: "packages", entries: [name.join("/")] };
}

/** The entry of the table that allows it. */
function permission(room: Room, { list, entries }: Use): { list: Use["list"]; entry: string } | undefined {
  const lists = list === "types" ? (["imports", "types"] as const) : [list];
  return lists
    .flatMap((list) => entries.filter((entry) => room[list]?.includes(entry)).map((entry) => ({ list, entry })))
    .at(0);
}

/** Why `file` may not import something; undefined where it may. */
function refusal(file: string, found: Import): string | undefined {
  const use = useOf(file, found);
  if (use === undefined || typeof use === "string") return use;
  const name = roomOf(withoutSuffix(file));
  if (name === undefined) return "its folder has no row in the table of rooms";
  return permission(rooms[name]!, use) === undefined
    ? `${name} has no ${use.entries.join(" or ")} in its ${use.list}`
    : undefined;
}

const imports = product.flatMap((file) => importsOf(file, read(file)).map((found) => ({ file, found })));
const value = (specifier: string): Import => ({ specifier, typeOnly: false });

describe("imports", () => {
  it("go only where the table allows", () => {
    const refusals = imports.flatMap(({ file, found }) => {
      const why = refusal(file, found);
      return why === undefined ? [] : [`${file} → ${found.specifier}: ${why}`];
    });
    expect(refusals).toEqual([]);
  });

  it("use every permission of the table", () => {
    const used = new Set<string>();
    for (const { file, found } of imports) {
      const use = useOf(file, found);
      const name = roomOf(withoutSuffix(file));
      if (use === undefined || typeof use === "string" || name === undefined) continue;
      const { list, entry } = permission(rooms[name]!, use) ?? {};
      // What is needed at run time is not needed as a type alone.
      used.add(`${name}: ${list === "imports" && use.list === "types" ? "imports as types" : list} ${entry}`);
    }
    const stated = Object.entries(rooms).flatMap(([name, room]) =>
      (["imports", "types", "packages", "reaches"] as const).flatMap((list) =>
        (room[list] ?? []).map((entry) => `${name}: ${list} ${entry}`),
      ),
    );
    expect(stated.filter((permission) => !used.has(permission))).toEqual([]);
  });

  it("make no circle between rooms, not even of types", () => {
    const edges = new Map<string, Set<string>>(Object.keys(rooms).map((name) => [name, new Set()]));
    for (const { file, found } of imports) {
      const use = useOf(file, found);
      if (typeof use === "object" && (use.list === "imports" || use.list === "types"))
        edges.get(roomOf(withoutSuffix(file))!)!.add(use.entries[0]!);
    }
    expect(circles(edges)).toEqual([]);
  });

  it("make no circle between files, not even of types", () => {
    const edges = new Map<string, Set<string>>(product.map((file) => [file, new Set()]));
    for (const { file, found } of imports)
      // The commands are loaded once they are asked for.
      if (found.specifier.startsWith(".") && file !== "src/cli/commands.ts")
        edges.get(file)!.add(posix.normalize(posix.join(posix.dirname(file), found.specifier)));
    expect(circles(edges)).toEqual([]);
  });

  it.each([
    ["src/oci/walk.ts", "../registry/client.ts", /no src\/registry or/],
    ["src/select/select.ts", "../archive/tree.ts", /no src\/archive or/],
    ["src/controller/reconcile.ts", "../registry/client.ts", /no src\/registry or/],
    ["src/controller/reconcile.ts", "../store/storage.ts", /or src\/store\/storage in its imports/],
    ["src/registry/auth.ts", "../credentials/secret.ts", /or src\/credentials\/secret/],
    ["src/store/storage.ts", "../kube/client.ts", /no src\/kube or/],
    ["src/wiring/controller.ts", "../cli/run.ts", /no src\/cli or/],
    ["src/cli/serve.ts", "../wiring/controller.ts", /no src\/wiring or/],
    ["src/kube/run/queue.ts", "../http/connect.ts", /no src\/kube\/http or/],
    ["src/brandnew/thing.ts", "../errors.ts", /no row/],
    ["api/v1beta1/parse.ts", "../../src/errors.ts", /no src\/errors or/],
    ["src/cli/build/build.ts", "../../testing/registry/registry.ts", /no src\/testing or/],
    ["src/oci/walk.ts", "./digest", /suffix/],
    ["src/oci/walk.ts", "node:http", /no http in its reaches/],
    ["src/select/select.ts", "node:fs/promises", /no fs in its reaches/],
    ["src/select/select.ts", "zod", /no zod in its packages/],
    ["src/controller/reconcile.ts", "@kubernetes/client-node", /no @kubernetes\/client-node in its packages/],
  ])("are refused: %s → %s", (file, specifier, why) => {
    expect(refusal(file, value(specifier))).toMatch(why);
  });

  it.each([
    ["src/controller/reconcile.ts", "../store/store.ts"],
    ["src/publish/external-artifact.ts", "../kube/conditions.ts"],
    ["src/publish/external-artifact.ts", "../oci/types.ts"],
    ["bench/run.ts", "../e2e/server.ts"],
    ["src/select/select.ts", "node:path"],
    ["src/cli/tree/tree.ts", "node:fs"],
  ])("are allowed: %s → %s", (file, specifier) => {
    expect(refusal(file, value(specifier))).toBeUndefined();
  });

  it("may be of types alone where the table says so", () => {
    const specifier = "./registry/client.ts";
    expect(refusal("src/config.ts", { specifier, typeOnly: true })).toBeUndefined();
    expect(refusal("src/config.ts", { specifier, typeOnly: false })).toMatch(/no src\/registry/);
  });

  it("are found in every form", () => {
    const source = [
      'import { a,\n  b } from "./a.ts";',
      'import type { C } from "./c.ts";',
      'import { type I } from "./i.ts";',
      'export { d } from "./d.ts";',
      'export type * from "./h.ts";',
      'import "./e.ts";',
      'const f = await import("./f.ts");',
      'let g: import("./g.ts").G;',
      '// import "./comment.ts";',
      'const text = `import "./text.ts"`;',
    ].join("\n");
    const found = importsOf("x.ts", source);
    const names = (typeOnly: boolean) =>
      found.flatMap((one) => (one.typeOnly === typeOnly ? [one.specifier.slice(2, 3)] : [])).toSorted();
    expect([names(false).join(""), names(true).join("")]).toEqual(["adefi", "cgh"]);
    expect(() => importsOf("x.ts", "await import(name);")).toThrow(/computes/);
    expect(() => importsOf("x.ts", "import {")).toThrow(/does not parse/);
  });

  it("use only packages that the bundles carry", () => {
    const { dependencies } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };
    const bundled = Object.entries(rooms).filter(([name]) => /^(src|api)\b/.test(name) && name !== "src/testing");
    const foreign = bundled.flatMap(([name, { packages = [] }]) =>
      packages.filter((wanted) => !Object.hasOwn(dependencies, wanted)).map((wanted) => `${name} → ${wanted}`),
    );
    expect(foreign).toEqual([]);
  });

  it("are told in CONTRIBUTING.md", () => {
    const text = read("CONTRIBUTING.md");
    expect(text, "npm run generate writes it").toBe(withTable(text, tableRows(rooms)));
  });
});

/** What is left when everything has gone that leads nowhere, or that nothing leads to. */
function circles(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const left = new Map(edges);
  for (let before = -1; before !== left.size;) {
    before = left.size;
    for (const [name, targets] of left) if (![...targets].some((target) => left.has(target))) left.delete(name);
    const all = [...left.values()];
    for (const name of left.keys()) if (!all.some((targets) => targets.has(name))) left.delete(name);
  }
  return [...left].map(
    ([name, targets]) => `${name} → ${[...targets].filter((target) => left.has(target)).join(", ")}`,
  );
}

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

  it("constants are in camel case, but for what the API exports", () => {
    expect(offenders(typescript, /^const [A-Z][A-Z0-9_]+\b/m)).toEqual([]);
    const exporters = offenders(typescript, /^export const [A-Z][A-Z0-9_]+\b/m);
    expect(exporters.filter((file) => !isUnder(file, "api"))).toEqual([]);
  });

  it("what the rooms of the core export as functions says what it does", () => {
    const core = /^src\/(archive|oci|operation|pipeline|publish|registry|select|store|verify)\//;
    const isBare = /(?<!\*\/\n)^export (?:(?:async )?function\b|const \w+ = (?:async )?\()/m;
    expect(
      offenders(
        product.filter((file) => core.test(file)),
        isBare,
      ),
    ).toEqual([]);
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

  it("no directory is made in the way that may never end (see src/disk/make-directory.ts)", () => {
    const makers = product.filter((file) => file.startsWith("src/") && !isUnder(file, "src/testing"));
    expect(offenders(makers, /\bmkdir(?:Sync)?\([^;]*recursive: true/)).toEqual([]);
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
