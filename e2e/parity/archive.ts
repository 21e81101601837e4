import { gzipSync, zstdCompressSync } from "node:zlib";
import { gnuLong, paxEntry, tarEntry, tarOf, type TarFields } from "../../src/testing/archives/tar.ts";
import type { Random } from "../../src/testing/fuzz/random.ts";

/** How a layer's bytes came about. */
export const forms = ["gzip", "members", "padded", "plain", "zstd", "raw", "broken", "gzipped file"] as const;
export type Form = (typeof forms)[number];

/** What an archive has in it that readers may see differently. */
export type Feature = "hard link" | "symlink" | "special" | "unsafe" | "twice" | "odd mode" | "empty";

export interface Archive {
  readonly bytes: Buffer;
  readonly form: Form;
  readonly features: ReadonlySet<Feature>;
}

const paths = [
  "app.yaml",
  "README.md",
  "logo.png",
  "docs/index.md",
  "docs/deep/page.yaml",
  "bin/run",
  "kustomization.yaml",
  ".github/ci.yml",
  "nested/archive.tar.gz",
  "nested/.sops.yaml",
  "nested/a b.yaml",
  "nested/über.yaml",
  ".gitignore",
  "empty",
];
export const ignoreLines = [
  "*.md",
  "/docs",
  "docs/",
  "!docs/deep/page.yaml",
  "!/docs/**/*.yaml",
  "nested/",
  "*.yaml",
  "!app.yaml",
  "# a comment",
  "",
  "bin/*",
  "**/deep",
  "a\\ b.yaml",
  "[ak]*.yaml",
  "/*",
  "!*.png",
  "*.png ",
];

/** Lines of .gitignore syntax, sometimes none. */
export function randomIgnore(random: Random): string {
  return Array.from({ length: random.below(4) }, () => random.pick(ignoreLines)).join("\n");
}

/** An archive whose content is like no other's: what `mark` says is in it. */
export function randomArchive(random: Random, mark: string): Archive {
  const features = new Set<Feature>();
  const form = random.chance(3) ? random.pick(forms) : "gzip";
  if (form === "raw" || form === "gzipped file") {
    const text = Buffer.from(`kind: List # ${mark}\n`);
    return { bytes: form === "raw" ? text : gzipSync(text), form, features };
  }
  const tar = tarOf(...entriesOf(random, mark, features));
  return { bytes: packed(tar, form), form, features };
}

function packed(tar: Buffer, form: Form): Buffer {
  switch (form) {
    case "plain":
      return tar;
    case "zstd":
      return zstdCompressSync(tar);
    case "members":
      return Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]);
    case "padded":
      return Buffer.concat([gzipSync(tar), Buffer.alloc(512)]);
    case "broken":
      return gzipSync(tar).subarray(0, -20);
    default:
      return gzipSync(tar);
  }
}

function entriesOf(random: Random, mark: string, features: Set<Feature>): (TarFields | Buffer)[] {
  if (random.chance(25)) {
    features.add("empty");
    return random.chance(2) ? [] : [{ name: "only/", type: "5", mode: 0o755 }];
  }
  const chosen = paths.filter(() => random.chance(2));
  const parts: (TarFields | Buffer)[] = chosen.flatMap((path) => fileOf(random, path, { mark, features }));
  parts.push({ name: "mark.txt", content: mark });
  if (random.chance(3)) parts.push(...directoriesOf(random, features));
  if (random.chance(4)) parts.push({ name: ".sourceignore", content: randomIgnore(random) });
  if (random.chance(6)) parts.push({ name: "docs/.sourceignore", content: randomIgnore(random) });
  if (random.chance(4)) parts.push(...oddEntries(random, features));
  return parts;
}

function fileOf(
  random: Random,
  path: string,
  { mark, features }: { readonly mark: string; readonly features: Set<Feature> },
): (TarFields | Buffer)[] {
  const mode = random.chance(4) ? random.pick([0o755, 0o600, 0o640, 0o700, 0o4755, 0o444]) : 0o644;
  const content = path === "empty" ? "" : `${path} ${mark}\n`.repeat(1 + random.below(40));
  const name = random.chance(5) ? `./${path}` : path;
  const fields = { name, content, mode, uid: random.below(3) * 1000, mtime: random.below(2_000_000_000) };
  if (Buffer.byteLength(path) !== path.length)
    return [paxEntry([["path", path]]), tarEntry({ ...fields, name: "pax" })];
  if (random.chance(12)) return [gnuLong("L", name), tarEntry({ ...fields, name: name.slice(0, 50) })];
  if (random.chance(30)) {
    features.add("twice");
    return [fields, { ...fields, content: "again" }];
  }
  return [fields];
}

function directoriesOf(random: Random, features: Set<Feature>): TarFields[] {
  const mode = random.pick([0o755, 0o755, 0o700, 0o777, 0o555]);
  if (mode === 0o555) features.add("odd mode");
  return [{ name: random.pick(["docs/", "hollow/", "nested/"]), type: "5", mode: mode === 0o555 ? 0o755 : mode }];
}

function oddEntries(random: Random, features: Set<Feature>): TarFields[] {
  const [feature, entry] = random.pick<[Feature, TarFields]>([
    ["symlink", { name: "link", type: "2", link: "mark.txt" }],
    ["symlink", { name: "nested/up", type: "2", link: "../docs" }],
    ["symlink", { name: "outside", type: "2", link: "/etc/passwd" }],
    ["hard link", { name: "hard", type: "1", link: "mark.txt" }],
    ["hard link", { name: "nested/hard", type: "1", link: "none.txt" }],
    ["special", { name: "pipe", type: "6" }],
    ["special", { name: "device", type: "3" }],
    ["unsafe", { name: "../climbs", content: "x" }],
    ["unsafe", { name: "/absolute", content: "x" }],
    ["unsafe", { name: "back\\slash", content: "x" }],
  ]);
  features.add(feature);
  return [entry];
}
