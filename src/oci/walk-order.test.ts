import { array, assert, asyncProperty, letrec, nat, type Arbitrary } from "fast-check";
import { expect, it } from "vitest";
import { MemoryRepository } from "../testing/registry/memory-repository.ts";
import type { Descriptor } from "./types.ts";
import { walk } from "./walk.ts";

/** A number is a manifest; equal numbers are one manifest, wherever they stand. */
type Shape = number | readonly Shape[];

const { shape } = letrec<{ shape: Shape }>(
  (tie) =>
    ({
      shape: array(
        nat(5).chain((number) => (number > 3 ? tie("shape") : (tie("leaf") as Arbitrary<Shape>))),
        {
          maxLength: 4,
          depthIdentifier: "walk",
        },
      ),
      leaf: nat(6),
    }) as never,
);

const limits = {
  maxManifestBytes: 1024 * 1024,
  maxManifests: 10_000,
  maxIndexDepth: 64,
  maxWalkBytes: 16 * 1024 * 1024,
};

function put(repository: MemoryRepository, shape: Shape): Descriptor {
  if (typeof shape !== "number")
    return repository.manifest({ manifests: shape.map((child) => put(repository, child)) });
  return repository.manifest({
    config: repository.blob(`{"n":${shape}}`, "application/vnd.example.config.v1+json"),
    layers: [],
  });
}

/** Depth first, in index order, everything once. */
function expected(repository: MemoryRepository, shape: Shape, seen: Set<string>): string[] {
  const { digest } = put(repository, shape);
  if (seen.has(digest)) return [];
  seen.add(digest);
  const below = typeof shape === "number" ? [] : shape.flatMap((child) => expected(repository, child, seen));
  return [digest, ...below];
}

it("meets every digest once, depth first, in index order", async () => {
  await assert(
    asyncProperty(shape, async (shape) => {
      const repository = new MemoryRepository();
      const root = put(repository, shape);
      const met: string[] = [];
      const { signal } = new AbortController();
      for await (const visit of walk(repository, root, { limits, signal })) {
        met.push(visit.descriptor.digest);
        expect(visit.path.length === 0).toBe(visit.descriptor.digest === root.digest);
      }
      expect(met).toEqual(expected(repository, shape, new Set()));
    }),
  );
});
