import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { tarOf, type TarFields } from "../src/testing/archives/tar.ts";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { startKustomizeController } from "./flux.ts";
import { condition, isReady } from "./kube.ts";
import { digestOf, fluxArtifact, pushArtifact } from "./push.ts";
import type { Registry } from "./registry.ts";
import { artifactRepository, kustomization, namespace, publishedArtifact, readyRepository } from "./repositories.ts";
import { startStrata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
let plane: ControlPlane;
let registry: Registry;

beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
  await startStrata(workspace, plane);
  await startKustomizeController(workspace, plane);
});

const configMap = (name: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: ${namespace}}\n`;

/** ADR 4: Copy hands on what it is given, and consumers are safe without us. */
describe("an archive with something else than files", () => {
  it.each<[string, TarFields, RegExp]>([
    // What it points to is not read either: nothing of the kind is there.
    ["symlink", { name: "link.yaml", type: "2", link: "/etc/passwd" }, /Applied revision/],
    ["device", { name: "disk", type: "4" }, /unsupported file type/],
    ["fifo", { name: "pipe", type: "6" }, /unsupported file type/],
  ])("does no harm to kustomize-controller after Copy, and is applied after Extract: %s", async (name, odd, copied) => {
    const bytes = gzipSync(tarOf({ name: "cm.yaml", content: configMap(`copy-${name}`) }, odd));
    await pushArtifact(registry, `odd/${name}`, "1.0.0", fluxArtifact(bytes));
    for (const operation of ["Copy", "Extract"] as const) {
      const object = `odd-${name}-${operation.toLowerCase()}`;
      const spec = { ref: { tag: "1.0.0" }, layerSelector: { operation } };
      await plane.admin.create(artifactRepository(object, { registry, path: `odd/${name}` }, spec));
      await readyRepository(plane, object);
      const { digest } = await publishedArtifact(plane, object);
      expect(digest === digestOf(bytes)).toBe(operation === "Copy");
      await plane.admin.create(kustomization(object, "./"));
      const ref = { kind: "Kustomization", namespace, name: object } as const;
      const settled = await plane.admin.waitFor(
        ref,
        "judged",
        (found) => isReady(found) || condition(found, "Ready")?.status === "False",
        60_000,
      );
      expect([operation, condition(settled, "Ready")?.message]).toEqual([
        operation,
        expect.stringMatching(operation === "Copy" ? copied : /Applied revision/),
      ]);
    }
  });
});
