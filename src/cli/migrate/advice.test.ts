import { expect, it } from "vitest";
import { adviceFor } from "./advice.ts";
import { differences } from "./differences.ts";

const verify = (...patterns: readonly string[]): object => ({
  provider: "cosign",
  matchOIDCIdentity: patterns.map((pattern) => ({ issuer: "^https://issuer\\.example$", subject: pattern })),
});

it.each<[string, object, string | undefined]>([
  ["a public host", { url: "oci://ghcr.io/org/app" }, undefined],
  ...[
    "localhost:5000",
    "127.0.0.1:5000",
    "[::1]:5000",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.0.1:80",
    "192.168.1.1",
    "a.local",
  ].map((host): [string, object, string] => [host, { url: `oci://${host}/app` }, "spec.url"]),
  ...["172.32.0.1", "11.0.0.1", "local.example", "localhost.example"].map((host): [string, object, undefined] => [
    host,
    { url: `oci://${host}/app` },
    undefined,
  ]),
  ["a private host with insecure", { url: "oci://10.1.2.3/app", insecure: true }, undefined],
  ["a copied file", { layerSelector: { mediaType: "text/yaml", operation: "copy" } }, "spec.layerSelector.operation"],
  ["an extracted one", { layerSelector: { mediaType: "text/yaml" } }, undefined],
  ["a copied archive", { layerSelector: { mediaType: "application/x.tar+gzip", operation: "copy" } }, undefined],
  ["whole identities", { verify: verify("^a$", ".*@example.com$", "^x.*") }, undefined],
  ["an identity without its beginning", { verify: verify("^a$", "a$") }, "spec.verify.matchOIDCIdentity"],
  ["an identity without its end", { verify: verify("^a") }, "spec.verify.matchOIDCIdentity"],
  ["no time", { timeout: "0s" }, undefined],
  ["no time to verify", { timeout: "0m0s", verify: verify("^a$") }, "spec.timeout"],
])("of %s", (_, spec, field) => {
  const lines = adviceFor({ url: "oci://ghcr.io/org/app", ...spec });
  expect(lines.map((line) => line.split(/[ :]/)[0])).toEqual(field === undefined ? [] : [field]);
  for (const line of lines) expect(line).toMatch(/, in Flux: .+; here: /);
});

it("names each difference once", () => {
  const ids = differences.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});
