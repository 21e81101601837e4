import { describe, expect, it } from "vitest";
import { commonMetadataSchema } from "./common-metadata.ts";
import { aliasesElsewhere } from "./publish.ts";

/** Whether an alias in `target` is accepted where `url` is read. */
const accepts = (url: string, target: string, tags: string[] = ["stable"]): boolean =>
  aliasesElsewhere.holds({
    url,
    publish: { oci: { url: target, tags, mediaType: "application/x", provider: "generic" } },
  });

describe("aliases in the repository that is read", () => {
  it.each([
    ["oci://r.example/app", "oci://r.example/app"],
    ["oci://r.example/app", "oci://R.Example/app"],
    ["oci://r.example/app:1.0.0", "oci://r.example/app"],
    [`oci://r.example/app@sha256:${"0".repeat(64)}`, "oci://r.example/app"],
    ["oci://r.example:443/app", "oci://r.example/app"],
    ["oci://r.example/app", "oci://r.example:80/app"],
    ["oci://docker.io/library/nginx", "oci://index.docker.io/nginx"],
    ["oci://registry-1.docker.io/library/nginx", "oci://registry.hub.docker.com/nginx"],
    ["oci://[::1]:5000/a/b", "oci://[::1]:5000/a/b"],
  ])("are refused: %s and %s", (url, target) => {
    expect([accepts(url, target), accepts(target, url.replace(/(\/[^/:@]+)[:@][^/]*$/, "$1"))]).toEqual([false, false]);
  });

  it.each([
    ["oci://r.example/app", "oci://r.example/app2"],
    ["oci://r.example/app", "oci://r.example/team/app"],
    ["oci://r.example/app", "oci://r.example:5000/app"],
    ["oci://r.example:8080/app", "oci://r.example/app"],
    ["oci://r.example/app", "oci://s.example/app"],
    ["oci://docker.io/team/nginx", "oci://docker.io/nginx"],
    ["nonsense", "oci://docker.io/nginx"],
  ])("are none: %s and %s", (url, target) => {
    expect(accepts(url, target)).toBe(true);
  });

  it("are not meant where there are none", () => {
    expect(accepts("oci://r.example/app", "oci://r.example/app", [])).toBe(true);
    expect(aliasesElsewhere.holds({ url: "oci://r.example/app" })).toBe(true);
  });
});

describe("commonMetadata", () => {
  const refusal = (metadata: object): string | undefined =>
    commonMetadataSchema.safeParse(metadata).error?.issues[0]?.message;

  it.each([
    [{ labels: { "a b": "1" } }, '"a b" is not a key of Kubernetes'],
    [{ labels: { "/a": "1" } }, "is not a key"],
    [{ labels: { "-a": "1" } }, "is not a key"],
    [{ labels: { [`a/${"b".repeat(64)}`]: "1" } }, "is not a key"],
    [{ annotations: { "Example.com/a": "1" } }, "is not a key"],
    [{ annotations: { [`${"a".repeat(260)}/b`]: "1" } }, "is not a key"],
    [{ labels: { "app.kubernetes.io/managed-by": "me" } }, "is set by Strata or Flux"],
    [{ annotations: { "reconcile.fluxcd.io/requestedAt": "now" } }, "is set by Strata or Flux"],
    [{ annotations: { "source.strata.dev/carried": "{}" } }, "is set by Strata or Flux"],
    [{ labels: Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`a${at}`, "1"])) }, "at most 64"],
    [{ labels: { a: "ü" } }, "write a label value"],
    [{ labels: { a: "b".repeat(64) } }, ""],
  ])("%j is refused", (metadata, message) => {
    expect(refusal(metadata)).toContain(message);
  });

  it.each([
    { labels: { "a.b/C_d.e-f": "A", a: "" } },
    { annotations: { a: "anything\n at all" } },
    { labels: { [`${"a".repeat(253)}/${"b".repeat(63)}`]: "b".repeat(63) } },
  ])("%j is taken", (metadata) => {
    expect(refusal(metadata)).toBeUndefined();
  });
});
