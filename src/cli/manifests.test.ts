import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codeOf } from "../errors.ts";
import { onlyArtifactRepository, readManifests, readManifestText } from "./manifests.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-manifests-"));
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

async function file(content: string | Buffer, name = "app.yaml"): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, content);
  return path;
}

async function* input(...chunks: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

const repository = (name: string): string =>
  `apiVersion: source.strata.dev/v1beta1\nkind: ArtifactRepository\nmetadata: {name: ${name}}\nspec: {url: oci://registry.example/app, interval: 1m}\n`;
const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: apps}\nstringData: {a.pub: key}\n";
const names = (objects: Awaited<ReturnType<typeof readManifests>>): string[] =>
  objects.map(({ object }) => `${object.kind} ${object.metadata.namespace}/${object.metadata.name}`);
const failure = async (promise: Promise<unknown>): Promise<Error> =>
  (await promise.then(
    () => new Error("nothing was thrown"),
    (error: unknown) => error,
  )) as Error;

describe("a manifest file", () => {
  it("may have several documents, some of kinds that mean nothing here", async () => {
    const path = await file(
      `---\n${repository("app")}---\n${secret}---\n# nothing\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n`,
    );
    const objects = await readManifests(path, input());
    expect(names(objects)).toEqual(["ArtifactRepository default/app", "Secret apps/keys"]);
    expect(objects[1]?.object).toMatchObject({ data: { "a.pub": Buffer.from("key").toString("base64") } });
  });

  it("may be JSON, or a List", async () => {
    const items = [
      { apiVersion: "source.strata.dev/v1beta1", kind: "ArtifactRepository", metadata: { name: "app" }, spec: {} },
    ];
    expect(names(await readManifests(await file(JSON.stringify(items[0]), "app.json"), input()))).toEqual([
      "ArtifactRepository default/app",
    ]);
    expect(
      names(await readManifests(await file(JSON.stringify({ apiVersion: "v1", kind: "List", items })), input())),
    ).toEqual(["ArtifactRepository default/app"]);
  });

  it("may be standard input, in any pieces", async () => {
    const text = repository("grün");
    const halves = [Buffer.from(text).subarray(0, 80), Buffer.from(text).subarray(80)];
    expect(
      names(
        await readManifests(
          "-",
          (async function* () {
            yield* halves;
          })(),
        ),
      ),
    ).toEqual(["ArtifactRepository default/grün"]);
    expect(await readManifestText("-", input("a", "b"))).toBe("ab");
  });

  it("may be a pipe", async () => {
    const path = join(dir, "pipe");
    execFileSync("mkfifo", [path]);
    const [objects] = await Promise.all([readManifests(path, input()), writeFile(path, repository("app"))]);
    expect(names(objects)).toEqual(["ArtifactRepository default/app"]);
  });

  it.each<[string, string]>([
    ["no YAML", "kind: [\n"],
    ["no object", "- a\n- b\n"],
    ["no name", "apiVersion: v1\nkind: Secret\nmetadata: {}\n"],
    ["another version", repository("app").replace("v1beta1", "v1alpha1")],
    [
      "too many aliases",
      `a: &a [1,2,3]\n${Array.from({ length: 200 }, (_, n) => `k${n}: *a`).join("\n")}\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c]\ne: [*d,*d,*d,*d]\n`,
    ],
  ])("with %s is refused with its place", async (_, text) => {
    const path = await file(text);
    const error = await failure(readManifests(path, input()));
    expect(codeOf(error)).toBe("InvalidSpec");
    expect(error.message).toMatch(/app\.yaml:\d+: /);
  });

  it("with a broken Secret is refused without quoting it", async () => {
    const error = await failure(
      readManifests(await file("apiVersion: v1\nkind: Secret\nstringData: {password: 'hunter2}\n"), input()),
    );
    expect(codeOf(error)).toBe("InvalidSpec");
    expect(error.message).not.toContain("hunter2");
  });

  it("that is missing, a directory, no text or immense is refused", async () => {
    const paths = [
      join(dir, "none.yaml"),
      dir,
      await file(Buffer.from([0xff, 0xfe, 0x00]), "binary"),
      await file(Buffer.alloc(5 * 1024 * 1024, "#"), "large"),
    ];
    for (const path of paths) {
      const error = await failure(readManifestText(path, input()));
      expect(codeOf(error)).toBe("InvalidSpec");
      expect(error.message).toContain(path);
    }
    expect(
      codeOf(
        await failure(
          readManifestText(
            "-",
            input(
              ..."x"
                .repeat(5)
                .split("")
                .map((x) => x.repeat(1024 * 1024)),
            ),
          ),
        ),
      ),
    ).toBe("InvalidSpec");
  });
});

describe("the one ArtifactRepository", () => {
  const only = async (text: string): Promise<string> =>
    onlyArtifactRepository(await readManifests(await file(text), input()), "app.yaml").object.metadata.name;

  it("is found among other objects", async () => {
    expect(await only(`${secret}---\n${repository("app")}`)).toBe("app");
  });

  it("must be there", async () => {
    const error = await failure(only(secret));
    expect(codeOf(error)).toBe("InvalidSpec");
    expect(error.message).toContain("strata migrate");
  });

  it("must be alone", async () => {
    const error = await failure(only(`${repository("one")}---\n${repository("two")}`));
    expect(codeOf(error)).toBe("InvalidSpec");
    expect(error.message).toMatch(/app\.yaml:1, .*app\.yaml:6/);
  });
});
