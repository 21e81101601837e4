import { createPublicKey, verify } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import type { IssuedToken } from "../src/testing/registry/auth.ts";
import { startRegistry, type TestRegistry } from "../src/testing/registry/registry.ts";
import { startPlane } from "./cluster.ts";
import { type ControlPlane } from "./controlplane.ts";
import { condition } from "./kube.ts";
import {
  artifactRepository,
  isCondition,
  namespace,
  readyRepository,
  reconcileNow,
  repositoryRef,
} from "./repositories.ts";
import { startStrata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const component = new URL("../config/components/object-level-identity/", import.meta.url);
const issuer = "https://kubernetes.default.svc";

/** A registry that trusts the cluster as an OIDC issuer: who holds a token of ServiceAccount `reader` for it may pull. */
class ClusterTokens extends Map<string, IssuedToken> {
  readonly #key: string;

  constructor(key: string) {
    super();
    this.#key = key;
  }

  override get(token: string): IssuedToken | undefined {
    const [head = "", payload = "", signature = ""] = token.split(".");
    const signed = Buffer.from(`${head}.${payload}`);
    if (!verify("sha256", signed, createPublicKey(this.#key), Buffer.from(signature, "base64url"))) return undefined;
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as {
      iss: string;
      sub: string;
      aud: string[];
      exp: number;
    };
    const isMeant = claims.iss === issuer && claims.aud.includes(`https://${registry.host}`);
    if (!isMeant || claims.sub !== `system:serviceaccount:${namespace}:reader`) return undefined;
    return { account: claims.sub, scopes: ["flux/app:pull"], expiresAt: claims.exp * 1000 };
  }
}

let plane: ControlPlane;
let registry: TestRegistry;

beforeAll(async () => {
  plane = await startPlane(workspace);
  const issued = new ClusterTokens(await readFile(join(workspace.dir, "control-plane", "sa.key"), "utf8"));
  registry = await startRegistry({ fixtures: true, auth: { kind: "token", accounts: {}, issued } });
  workspace.onEnd(() => registry.close());
  await startStrata(workspace, plane, { flags: ["--max-retry-delay=2s"] });
  for (const name of ["reader", "stranger"])
    await plane.admin.create({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name, namespace, annotations: { "credential.auth.fluxcd.io/provider": "kubernetes" } },
    });
});

const as = (serviceAccountName: string) => ({ ref: { tag: "1.0.0" }, serviceAccountName });

it("a token of a ServiceAccount is made only with the component, and opens the registry", async () => {
  await plane.admin.create(artifactRepository("app", { registry, path: "flux/app" }, as("reader")));
  const failed = await plane.admin.waitFor(repositoryRef("app"), "refused", (object) =>
    isCondition(object, "FetchFailed", "True", "AuthenticationFailed"),
  );
  expect(condition(failed, "FetchFailed")?.message).toContain("install the component object-level-identity");
  for (const name of ["role", "role_binding"]) await plane.admin.applyFile(new URL(`${name}.yaml`, component).pathname);
  await readyRepository(plane, "app");
});

it("another's token does not", async () => {
  await plane.admin.create(artifactRepository("other", { registry, path: "flux/app" }, as("stranger")));
  const failed = await plane.admin.waitFor(repositoryRef("other"), "refused", (object) =>
    isCondition(object, "FetchFailed", "True", "OCIArtifactPullFailed"),
  );
  expect(condition(failed, "FetchFailed")?.message).toContain(`ServiceAccount ${namespace}/stranger`);
  await reconcileNow(plane, "other");
});
