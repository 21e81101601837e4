import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { KIND } from "../api/v1beta1/constants.ts";
import { parseArtifactRepository } from "../api/v1beta1/parse.ts";
import { commands } from "../src/cli/commands.ts";
import { runStrata, type CommandResult } from "../src/testing/command-io.ts";
import { startRegistry, type TestRegistry } from "../src/testing/registry/registry.ts";

const root = join(import.meta.dirname, "..");
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "config/README.md",
  "config/samples/README.md",
  ...globSync("docs/**/*.md", { cwd: root }),
].sort();
const read = (page: string): string => readFileSync(join(root, page), "utf8");

function blocks(page: string, language: string): string[] {
  return [...read(page).matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, text = ""]) => text);
}

/** The commands of a page's console blocks, without the prompt. */
function commandsOf(page: string): string[] {
  return blocks(page, "console").flatMap((block) =>
    block.split("\n").flatMap((line) => (line.startsWith("$ ") ? [line.slice(2)] : [])),
  );
}

/** As a shell would split it; only single quotes are known. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}

describe("the commands of the pages", () => {
  const shown = ["README.md", "docs/ocm.md"].flatMap(commandsOf).filter((command) => command.startsWith("strata "));
  let registry: TestRegistry;
  let dir: string;
  beforeAll(async () => {
    registry = await startRegistry({ fixtures: true });
    dir = await mkdtemp(join(tmpdir(), "strata-readme-"));
  });
  afterAll(async () => {
    await Promise.all([registry.close(), rm(dir, { recursive: true, force: true })]);
  });

  async function run(command: string): Promise<CommandResult> {
    const [, ...args] = wordsOf(command).map((word) => word.replace("registry.example", registry.host));
    const placed = args.map((word, at) => (args[at - 1] === "-o" ? join(dir, word) : word));
    return await runStrata([...placed, "--insecure"]);
  }

  it("are there", () => {
    expect(shown.length).toBeGreaterThanOrEqual(5);
  });

  it.each(shown.filter((command) => !command.includes("twin")))("succeed: %s", async (command) => {
    const { code, stdout, stderr } = await run(command);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).not.toBe("");
    const output = wordsOf(command).find((_, at, words) => words[at - 1] === "-o");
    if (output !== undefined) expect(existsSync(join(dir, output))).toBe(true);
  });

  it.each(shown.filter((command) => command.includes("twin")))("refuse to guess: %s", async (command) => {
    await rm(join(dir, "out"), { recursive: true, force: true });
    const { code, stdout, stderr } = await run(command);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.match(/sha256:[0-9a-f]{64}/g)?.length).toBeGreaterThanOrEqual(2);
    expect(stderr).toContain("[AmbiguousManifest]");
    expect(await readdir(dir)).not.toContain("out");
  });
});

describe("what the pages refer to", () => {
  const scripts = Object.keys((JSON.parse(read("package.json")) as { scripts: Record<string, string> }).scripts);

  it.each(pages)("commands of %s exist", (page) => {
    const named = [...read(page).matchAll(/(?:`|^\$ )strata ([a-z][a-z-]*)/gm)].map(([, name = ""]) => name);
    expect(named.filter((name) => !Object.hasOwn(commands, name))).toEqual([]);
  });

  it.each(pages)("npm scripts of %s exist", (page) => {
    const named = [...read(page).matchAll(/\bnpm run ([a-z:0-9]+)/g)].map(([, name = ""]) => name);
    expect(named.filter((name) => !scripts.includes(name))).toEqual([]);
  });

  it.each(pages)("files that kubectl applies in %s exist, or are built", (page) => {
    // A tutorial has the reader write a file, whose name is the first line of its block.
    const written = new Set(blocks(page, "yaml").map((block) => /^# (\S+\.yaml)\n/.exec(block)?.[1]));
    const files = [...read(page).matchAll(/\bkubectl apply -[fk] ([^\s`]+)/g)].map(([, file = ""]) => file);
    const isThere = (file: string): boolean =>
      file === "-" || file.startsWith("dist/") || written.has(file) || existsSync(join(root, file));
    expect(files.filter((file) => !isThere(file))).toEqual([]);
  });

  it.each(pages)("links of %s lead somewhere", (page) => {
    const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
    expect(links.filter((link) => !link.startsWith("https://") && brokenBecause(page, link) !== undefined)).toEqual([]);
  });

  it("a broken link is noticed", () => {
    expect(brokenBecause("README.md", "docs/nowhere.md")).toBe("no such file");
    expect(brokenBecause("README.md", "docs/security.md#nowhere")).toBe("no such heading");
    expect(brokenBecause("README.md", "docs/security.md#signatures")).toBeUndefined();
  });
});

function brokenBecause(page: string, link: string): string | undefined {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? join(root, page) : join(root, dirname(page), path);
  if (!existsSync(target)) return "no such file";
  if (anchor === undefined || statSync(target).isDirectory()) return undefined;
  const headings = [...readFileSync(target, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
  return headings.includes(anchor) ? undefined : "no such heading";
}

describe("the YAML blocks", () => {
  const examples = pages.flatMap((page) =>
    blocks(page, "yaml").map((text, number) => ({ name: `${page}, block ${number + 1}`, text })),
  );

  it.each(examples)("$name", ({ text }) => {
    for (const document of parseAllDocuments(text)) {
      expect(document.errors).toEqual([]);
      const object = document.toJS() as { kind?: string };
      if (object.kind === KIND) expect(parseArtifactRepository(object)).not.toHaveProperty("issues");
    }
  });

  it("of README.md hold an ArtifactRepository that is called as its consumer calls it", () => {
    const objects = blocks("README.md", "yaml").map(
      (text) =>
        parseAllDocuments(text)[0]?.toJS() as {
          kind: string;
          metadata: { name: string };
          spec: { sourceRef?: { name: string } };
        },
    );
    const repository = objects.find(({ kind }) => kind === KIND);
    expect(objects.find(({ kind }) => kind === "Kustomization")?.spec.sourceRef?.name).toBe(repository?.metadata.name);
  });
});

it("numbers every decision once, without gaps", () => {
  const numbers = globSync("docs/adr/*.md", { cwd: root })
    .map((page) => basename(page).slice(0, 4))
    .sort();
  expect(numbers).toEqual(numbers.map((_, at) => String(at + 1).padStart(4, "0")));
  for (const page of globSync("docs/adr/*.md", { cwd: root }))
    expect(read(page)).toMatch(new RegExp(`^# ${Number(basename(page).slice(0, 4))}[.] `));
});
