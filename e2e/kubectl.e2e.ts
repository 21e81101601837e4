import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { customResourceDefinition } from "../crds/crd.ts";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { isReady, parseDocuments } from "./kube.ts";
import { kubectl } from "./kubectl.ts";
import type { Registry } from "./registry.ts";
import { artifactRepository, isCondition, namespace, readyRepository, repositoryRef } from "./repositories.ts";
import { startStrata } from "./strata.ts";
import { eventually } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
let plane: ControlPlane;
let registry: Registry;
const longest = "a-name-of-twenty-eight-chars";

beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
  await startStrata(workspace, plane);
});

/** The lines that kubectl prints, each split at the two spaces or more between its columns. */
async function table(args: readonly string[]): Promise<{ text: string; rows: string[][] }> {
  const text = await kubectl(plane, ["get", "ar", "-n", namespace, ...args]);
  const rows = text.trimEnd().split("\n");
  return { text, rows: rows.map((line) => line.trimEnd().split(/\s{2,}/)) };
}

describe("kubectl get ar", () => {
  beforeAll(async () => {
    const objects = [
      artifactRepository(longest, { registry, path: "flux/app" }, { ref: { tag: "1.0.0" } }),
      artifactRepository("no-layer", { registry, path: "flux/app" }, { layerSelector: { mediaType: "text/none" } }),
      artifactRepository("no-tag", { registry, path: "flux/app" }, { ref: { tag: "none" } }),
    ];
    await Promise.all(objects.map(async (object) => await plane.admin.create(object)));
    await readyRepository(plane, longest);
    for (const name of ["no-layer", "no-tag"])
      await plane.admin.waitFor(repositoryRef(name), "not ready", (object) => isCondition(object, "Ready", "False"));
  });

  it("says in 120 columns how each object is", async () => {
    const { text, rows } = await table([]);
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(120);
    const digest = /^1\.0\.0@sha256:[0-9a-f]{8}$/;
    expect(rows.map((row) => row.slice(0, -1))).toEqual([
      ["NAME", "READY", "STATUS", "REVISION"],
      [longest, "True", "stored", expect.stringMatching(digest)],
      ["no-layer", "False", expect.stringMatching(/^(stalled|retrying): \w+$/)],
      ["no-tag", "False", "retrying: PullFailed"],
    ]);
    expect(rows.map((row) => row.at(-1))).toEqual([
      "AGE",
      ...Array<unknown>(3).fill(expect.stringMatching(/^\d+[ms]/)),
    ]);
  });

  it("adds with -o wide where it comes from and what was taken", async () => {
    const { rows } = await table(["-o", "wide"]);
    expect(rows[0]).toEqual(["NAME", "READY", "STATUS", "REVISION", "AGE", "URL", "OPERATION", "SELECTED"]);
    expect(rows[1]?.slice(5)).toEqual([
      `oci://${registry.host}/flux/app`,
      "Extract",
      expect.stringMatching(/^1 layer( \(\w+.*\))?$/),
    ]);
  });

  it("sums up in the same write that says ready", async () => {
    const { status } = await plane.admin.get(repositoryRef(longest));
    const { revision } = status!["artifact"] as { revision: string };
    expect(status?.["summary"]).toMatchObject({
      state: "stored",
      revision: revision.slice(0, "1.0.0@sha256:".length + 8),
    });
  });
});

describe("kubectl explain", () => {
  it.each([
    ["spec", "url <string> -required-", "interval <string> -required-", "layerSelector <Object>"],
    ["spec.url", "FIELD: url <string>", "The repository to read", "oci://ghcr.io/stefanprodan/manifests/podinfo"],
    ["spec.interval", "FIELD: interval <string>", "such as `10m`"],
    ["spec.timeout", "such as `60s`"],
    ["spec.ref.semver", ">=1.0.0 <2.0.0", "takes precedence"],
    ["spec.layerSelector.operation", "ENUM", "`ExtractAll`: every selected layer in one tree."],
    ["spec.layerSelector.filename", "{title}"],
    ["status.summary.state", "stored"],
  ])("says what %s is for", async (path, ...words) => {
    const text = (await kubectl(plane, ["explain", `ar.${path}`])).replaceAll(/\s+/g, " ");
    for (const word of words) expect(text).toContain(word);
  });
});

const syntax = new URL("../config/testdata/crd/syntax/", import.meta.url);

describe("objects that were there before the rules", () => {
  const objects = readdirSync(syntax).map((file) => {
    const [object] = parseDocuments(readFileSync(new URL(file, syntax), "utf8"));
    object!.metadata.namespace = namespace;
    return object!;
  });
  const file = async (name: string, text: string): Promise<string> => {
    const path = join(await workspace.directory("kubectl"), name);
    await writeFile(path, text);
    return path;
  };
  const withoutRules = JSON.stringify(customResourceDefinition(), (key, value: unknown) =>
    key === "x-kubernetes-validations" ? undefined : value,
  );

  it("keep their status and finalizers writable, and are judged where somebody edits them", async () => {
    const { admin } = plane;
    await kubectl(plane, ["replace", "-f", await file("old.json", withoutRules)]);
    for (const object of objects)
      await eventually(`${object.metadata.name} is accepted`, async () => await admin.create(object));
    await kubectl(plane, ["replace", "-f", await file("new.json", JSON.stringify(customResourceDefinition()))]);
    const refused = { ...objects[0]!, metadata: { name: "refused", namespace } };
    await eventually("the rules hold again", async () => {
      const names = { ...refused, metadata: { ...refused.metadata, name: `refused-${Date.now()}` } };
      return await admin.create(names).then(
        () => false,
        () => true,
      );
    });
    for (const { metadata } of objects) {
      const ref = repositoryRef(metadata.name);
      const seen = await admin.waitFor(ref, "judged by the controller", (object) =>
        isCondition(object, "Ready", "False"),
      );
      expect(isReady(seen)).toBe(false);
      await admin.patch(ref, { metadata: { finalizers: ["example.com/hold"], annotations: { seen: "yes" } } });
      await admin.patch(ref, { metadata: { finalizers: null } });
    }
  });
});
