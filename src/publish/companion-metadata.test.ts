import { describe, expect, test } from "vitest";
import type { ObjectMeta } from "../kube/client.ts";
import { carriedFrom, hasMetadata, outdatedMetadata, withCarried } from "./companion-metadata.ts";

const own: ObjectMeta = { name: "a", namespace: "b", labels: { "app.kubernetes.io/managed-by": "strata" } };
const note = "source.strata.dev/carried";

/** What place() does with them: an apply that takes over and removes nothing, then a merge patch. */
function write(live: ObjectMeta | undefined, labels: Record<string, string>, annotations = {}): ObjectMeta {
  const wanted = withCarried(own, carriedFrom(labels, { annotations }), live);
  const applied: ObjectMeta = {
    ...wanted,
    labels: { ...live?.labels, ...wanted.labels },
    annotations: { ...live?.annotations, ...wanted.annotations },
  };
  const patch = live && outdatedMetadata(applied, wanted, live);
  const without = (field: "labels" | "annotations"): Record<string, string> =>
    Object.fromEntries(Object.entries(applied[field] ?? {}).filter(([key]) => patch?.[field]?.[key] !== null));
  return { ...applied, labels: without("labels"), annotations: without("annotations") };
}

describe("what a companion carries", () => {
  test.each<[string, Record<string, string>[], Record<string, string>, Record<string, string>]>([
    ["goes when it goes", [{ x: "1" }, {}], {}, {}],
    ["changes when it changes", [{ x: "1" }, { x: "2" }], {}, { x: "2" }],
    ["leaves what others have set", [{ x: "1" }, {}], { hand: "made" }, { hand: "made" }],
    ["leaves what others have set alike", [{ x: "1" }, {}], { x: "1" }, { x: "1" }],
    ["takes over what others have set otherwise", [{ x: "1" }, {}], { x: "2" }, {}],
    ["is in no ApplySet", [{ "applyset.kubernetes.io/part-of": "set" }], {}, {}],
    ["never says whose it is", [{ "app.kubernetes.io/managed-by": "Helm" }], {}, {}],
  ])("%s", (_, steps, before, after) => {
    const start: ObjectMeta = { ...own, labels: { ...own.labels, ...before } };
    const end = steps.reduce((live, labels) => write(live, labels), start);
    expect(end.labels).toEqual({ ...own.labels, ...after });
    expect(end.annotations?.[note] === undefined).toBe(Object.keys(steps.at(-1)!).every((key) => key !== "x"));
  });

  test("comes to rest from whatever stands there", () => {
    const notes = [undefined, "", "{", "[]", '{"labels":7}', '{"labels":["x","y"],"annotations":[1,"z"]}', "null"];
    const sets: Record<string, string>[] = [{}, { x: "1" }, { x: "2", y: "1" }];
    for (const text of notes)
      for (const labels of sets)
        for (const present of sets) {
          const live: ObjectMeta = { ...own, labels: present, annotations: { k: "v", ...(text && { [note]: text }) } };
          const end = write(live, labels, { z: "1" });
          const wanted = withCarried(own, carriedFrom(labels, { annotations: { z: "1" } }), end);
          expect(hasMetadata(end, wanted) && outdatedMetadata(end, wanted) === undefined).toBe(true);
          expect(end.annotations).toMatchObject({ k: "v", z: "1" });
        }
  });

  test("is what the spec states before what the owner has", () => {
    const metadata = { labels: { a: "spec" }, annotations: { n: "1" } };
    expect(carriedFrom({ a: "owner", b: "owner" }, metadata)).toEqual({
      labels: { a: "spec", b: "owner" },
      annotations: { n: "1" },
    });
  });
});
